#include "conv/fft/tile_fft.h"

#include <algorithm>

#include "table/table.h"

namespace convmat {

template <typename T>
TileFft<T>::TileFft(Kind kind, int64_t rows, int64_t columns)
    : kind_(kind), rows_(rows), columns_(columns), down_(rows), across_(kind == Kind::bundle ? 1 : columns) {
  if (kind != Kind::line) return;
  const int64_t longer = std::max(rows, columns);
  const auto append = [&](int64_t j, std::vector<T>& re, std::vector<T>& im) {
    const Root w = root_of_unity(j, points());
    re.push_back(static_cast<T>(w.re));
    im.push_back(static_cast<T>(w.im));
  };
  for (int64_t r = 0; r < longer; ++r) {
    for (int64_t lane = 0; lane < kFftBlock<T>; ++lane) append(r * lane, lane_re_, lane_im_);
  }
  for (int64_t column = 0; column < longer; column += kFftBlock<T>) {
    for (int64_t r = 0; r < longer; ++r) append(r * column, base_, base_);
  }
}

template <typename T>
int64_t TileFft<T>::scratch_size() const {
  return std::max(down_.scratch_size(kFftBlock<T>), across_.scratch_size(kFftBlock<T>));
}

template <typename T>
int64_t TileFft<T>::work_size() const {
  const int64_t turned = kind_ == Kind::bundle ? 0 : columns_ * turned_pitch();
  return 2 * (rows_ * pitch() + turned) + scratch_size();
}

template <typename T>
typename TileFft<T>::Work TileFft<T>::take(ArenaFrame& arena) const {
  const int64_t size = rows_ * pitch(), turned = kind_ == Kind::bundle ? 0 : columns_ * turned_pitch();
  return {arena.take<T>(size), arena.take<T>(size), arena.take<T>(turned), arena.take<T>(turned),
          arena.take<T>(scratch_size())};
}

template <typename T>
void TileFft<T>::turn(const KernelTable& kernels, int64_t rows, int64_t columns, ConstRows<T> from,
                      Rows<T> to) const {
  const Kernels<T>& typed = kernels.of<T>();
  if (kind_ == Kind::plane) {
    typed.transpose(rows, columns, from.re, from.pitch, to.re, to.pitch);
    typed.transpose(rows, columns, from.im, from.pitch, to.im, to.pitch);
    return;
  }
  const int64_t longer = std::max(rows_, columns_);
  for (int64_t c = 0; c < columns; c += kFftBlock<T>) {
    typed.fft_twist({rows, kFftBlock<T>, from.re + c, from.im + c, from.pitch, lane_re_.data(),
                     lane_im_.data(), kFftBlock<T>, base_.data() + 2 * longer * (c / kFftBlock<T>),
                     to.re + c * to.pitch, to.im + c * to.pitch, to.pitch});
  }
}

template <typename T>
void TileFft<T>::forward(const KernelTable& kernels, const Work& tile, T* spectrum, int64_t step) const {
  constexpr int64_t block = kFftBlock<T>;
  const auto strip_of = [](T* re, T* im, int64_t pitch) { return Rows<T>{re, im, pitch}; };
  const auto run = [&](const ColumnFft<T>& fft, Rows<T> in, Rows<T> out) {
    fft.run(kernels, {in.re, in.im, in.pitch}, out, block, T{1}, tile.scratch);
  };
  for (int64_t c = 0; c < columns_; c += block) {
    const Rows<T> strip = strip_of(tile.re + c, tile.im + c, pitch());
    T* const to = spectrum + c / block * rows_ * step;
    run(down_, strip, kind_ == Kind::bundle ? strip_of(to, to + block, step) : strip);
  }
  if (kind_ == Kind::bundle) return;
  const Rows<T> turned = {tile.turned_re, tile.turned_im, turned_pitch()};
  turn(kernels, rows_, columns_, {tile.re, tile.im, pitch()}, turned);
  for (int64_t r = 0; r < rows_; r += block) {
    T* const to = spectrum + r / block * columns_ * step;
    run(across_, strip_of(turned.re + r, turned.im + r, turned.pitch), strip_of(to, to + block, step));
  }
}

// The forward transform with the parts exchanged, its rounds in the opposite order.
template <typename T>
void TileFft<T>::inverse(const KernelTable& kernels, const T* spectrum, int64_t step,
                         const Work& tile) const {
  constexpr int64_t block = kFftBlock<T>;
  const auto run = [&](const ColumnFft<T>& fft, ConstRows<T> in, Rows<T> out) {
    fft.run(kernels, in, out, block, T{1}, tile.scratch);
  };
  const Rows<T> plane = {tile.im, tile.re, pitch()};
  if (kind_ != Kind::bundle) {
    const Rows<T> turned = {tile.turned_re, tile.turned_im, turned_pitch()};
    for (int64_t r = 0; r < rows_; r += block) {
      const T* const from = spectrum + r / block * columns_ * step;
      run(across_, {from + block, from, step}, {turned.re + r, turned.im + r, turned.pitch});
    }
    turn(kernels, columns_, rows_, {turned.re, turned.im, turned.pitch}, plane);
  }
  for (int64_t c = 0; c < columns_; c += block) {
    const Rows<T> strip = {plane.re + c, plane.im + c, plane.pitch};
    const T* const from = spectrum + c / block * rows_ * step;
    run(down_,
        kind_ == Kind::bundle ? ConstRows<T>{from + block, from, step}
                              : ConstRows<T>{strip.re, strip.im, strip.pitch},
        strip);
  }
}

template class TileFft<float>;
template class TileFft<double>;

}  // namespace convmat
