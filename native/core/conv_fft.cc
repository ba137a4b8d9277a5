// Forward convolution of stride and dilation 1 in two dimensions by Fourier transforms of overlapping tiles
// of n x n inputs (overlap-save), n the plan's variant: (n - kernel + 1)^2 outputs each come out right. Two
// tiles of real data are the parts of one complex transform. Channels are summed in the frequency domain; the
// weights' spectra are prepared.
#include <algorithm>
#include <utility>

#include "core/aligned.h"
#include "core/arena.h"
#include "core/conv_algorithm.h"
#include "core/fft.h"
#include "core/im2col.h"
#include "core/thread_pool.h"
#include "core/typed_kernels.h"

namespace convmat {
namespace {

// A complex multiplication and addition in one of a transform's log2(n) passes, for the cost of a call.
constexpr double kNsPerPointAndPass = 0.25;

template <typename T>
struct Spectrum {
  T *re, *im;
};

// Transforms of n x n points in two steps down the columns with a transposition between.
template <typename T>
class TileFft {
 public:
  explicit TileFft(int64_t n) : n_(n), columns_(n) {}

  int64_t n() const { return n_; }
  // Rows a power of two apart would fall into the same few sets of L1.
  int64_t pitch() const { return n_ + ColumnFft<T>::kColumns; }
  int64_t size() const { return n_ * pitch(); }
  Spectrum<T> take(ArenaFrame& arena) const { return {arena.take<T>(size()), arena.take<T>(size())}; }
  T* take_scratch(ArenaFrame& arena) const {
    return arena.take<T>(columns_.scratch_size(ColumnFft<T>::kColumns));
  }

  // to[column][row] <-- the transform of from[row][column], which is overwritten. An inverse transform is one
  // with the parts exchanged.
  void run(const Context& context, Spectrum<T> from, Spectrum<T> to, T scale, T* scratch) const {
    const TypedKernels<T> kernels = typed_kernels<T>(*context.kernels);
    down(context, from, T{1}, scratch);
    kernels.transpose(n_, n_, from.re, pitch(), to.re, pitch());
    kernels.transpose(n_, n_, from.im, pitch(), to.im, pitch());
    down(context, to, scale, scratch);
  }

 private:
  void down(const Context& context, Spectrum<T> tile, T scale, T* scratch) const {
    for (int64_t c = 0; c < n_; c += ColumnFft<T>::kColumns) {
      const Rows<T> strip{tile.re + c, tile.im + c, pitch()};
      columns_.run(*context.kernels, {strip.re, strip.im, pitch()}, strip, ColumnFft<T>::kColumns, scale,
                   scratch);
    }
  }

  int64_t n_;
  ColumnFft<T> columns_;
};

template <typename T>
class FftConv final : public ConvRunner {
 public:
  FftConv(const Context& context, const ConvPlan& plan, const T* weight, const T* bias, T lo, T hi)
      : fft_(plan.variant),
        in_channels_(plan.in_channels / plan.groups),
        out_channels_(plan.out_channels / plan.groups),
        spectra_(plan.out_channels * in_channels_ * 2 * fft_.size()),
        bias_(plan.out_channels),
        lo_(lo),
        hi_(hi) {
    const Axis &height = plan.axis[1], &width = plan.axis[2];
    ArenaFrame arena;
    const Spectrum<T> padded = fft_.take(arena);
    T* const scratch = fft_.take_scratch(arena);
    for (int64_t i = 0; i < plan.out_channels * in_channels_; ++i) {
      std::fill_n(padded.re, fft_.size(), T{0});
      std::fill_n(padded.im, fft_.size(), T{0});
      for (int64_t row = 0; row < height.kernel; ++row) {
        std::copy_n(weight + (i * height.kernel + row) * width.kernel, width.kernel,
                    padded.re + row * fft_.pitch());
      }
      fft_.run(context, padded, spectrum(i), T{1}, scratch);
    }
    for (int64_t o = 0; o < plan.out_channels; ++o) bias_.data()[o] = bias != nullptr ? bias[o] : T{0};
  }

  size_t bytes() const override { return sizeof(*this) + spectra_.bytes() + bias_.bytes(); }

  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    const Axis &height = plan.axis[1], &width = plan.axis[2];
    const int64_t rows = fft_.n() - height.kernel + 1, columns = fft_.n() - width.kernel + 1;
    const int64_t tile_columns = (width.out + columns - 1) / columns;
    const int64_t tiles = (height.out + rows - 1) / rows * tile_columns, pairs = (tiles + 1) / 2;
    const int64_t chunks = plan.batch * plan.groups * pairs;
    const double points = static_cast<double>(fft_.n() * fft_.n());
    double passes = 0;
    for (int64_t n = 1; n < fft_.n(); n *= 2) passes += 2;
    const double transforms = static_cast<double>(in_channels_ + out_channels_) * passes;
    const double products = static_cast<double>(in_channels_ * out_channels_);
    const double cost_ns =
        static_cast<double>(chunks) * points * (transforms + products) * kNsPerPointAndPass;
    parallel_for(chunks, cost_ns, [&](int64_t index) {
      if (context.cancelled != nullptr && context.cancelled->load(std::memory_order_relaxed)) return;
      const int64_t pair = index % pairs, group = index / pairs % plan.groups,
                    image = index / pairs / plan.groups;
      Tile tile[2];
      for (int i = 0; i < 2; ++i) {
        const int64_t t = std::min(2 * pair + i, tiles - 1);  // an odd one is its own neighbour
        tile[i] = {t / tile_columns * rows, rows, t % tile_columns * columns, columns};
      }
      run_pair(context, plan, image, group, tile, static_cast<const T*>(input), static_cast<T*>(output));
    });
  }

 private:
  // Outputs [row, row + rows) x [column, column + columns), some of which may lie beyond the image.
  struct Tile {
    int64_t row, rows, column, columns;
  };

  Spectrum<T> spectrum(int64_t index) {
    T* const re = spectra_.data() + index * 2 * fft_.size();
    return {re, re + fft_.size()};
  }
  const T* spectrum(int64_t index) const { return spectra_.data() + index * 2 * fft_.size(); }

  void run_pair(const Context& context, const ConvPlan& plan, int64_t image, int64_t group,
                const Tile (&tile)[2], const T* x, T* y) const {
    const int64_t in_plane = plan.axis[1].in * plan.axis[2].in,
                  out_plane = plan.axis[1].out * plan.axis[2].out;
    const T scale = static_cast<T>(1.0 / static_cast<double>(fft_.n() * fft_.n()));
    ArenaFrame arena;
    const Spectrum<T> work = fft_.take(arena);
    T* const inputs = arena.take<T>(in_channels_ * 2 * fft_.size());
    // The only output channel overwrites the only input's spectrum.
    const bool alone = in_channels_ == 1 && out_channels_ == 1;
    const Spectrum<T> sum = alone ? Spectrum<T>{inputs, inputs + fft_.size()} : fft_.take(arena);
    T* const scratch = fft_.take_scratch(arena);

    for (int64_t c = 0; c < in_channels_; ++c) {
      const T* const from = x + (image * plan.in_channels + group * in_channels_ + c) * in_plane;
      gather(plan, from, tile[0], work.re);
      gather(plan, from, tile[1], work.im);
      T* const to = inputs + c * 2 * fft_.size();
      fft_.run(context, work, {to, to + fft_.size()}, T{1}, scratch);
    }
    for (int64_t o = 0; o < out_channels_; ++o) {
      const int64_t channel = group * out_channels_ + o;
      for (int64_t c = 0; c < in_channels_; ++c) {
        multiply(inputs + c * 2 * fft_.size(), spectrum(channel * in_channels_ + c), c > 0, sum);
      }
      fft_.run(context, {sum.im, sum.re}, {work.im, work.re}, scale, scratch);
      T* const to = y + (image * plan.out_channels + channel) * out_plane;
      scatter(plan, work.re, tile[0], bias_.data()[channel], to);
      scatter(plan, work.im, tile[1], bias_.data()[channel], to);
    }
  }

  // sum <-- or += x * conj(w): correlation, not convolution.
  void multiply(const T* x, const T* w, bool accumulate, Spectrum<T> sum) const {
    const int64_t size = fft_.size();
    const T *const x_im = x + size, *const w_im = w + size;
    for (int64_t i = 0; i < size; ++i) {
      const T re = x[i] * w[i] + x_im[i] * w_im[i], im = x_im[i] * w[i] - x[i] * w_im[i];
      sum.re[i] = accumulate ? sum.re[i] + re : re;
      sum.im[i] = accumulate ? sum.im[i] + im : im;
    }
  }

  // to[row][column] <-- the padded input from the tile's first on.
  void gather(const ConvPlan& plan, const T* from, const Tile& tile, T* to) const {
    const Axis &height = plan.axis[1], &width = plan.axis[2];
    const int64_t n = fft_.n(), first = tile.column - width.pad_before;
    const int64_t begin = std::clamp<int64_t>(-first, 0, n), end = std::clamp(width.in - first, begin, n);
    for (int64_t i = 0; i < n; ++i, to += fft_.pitch()) {
      const int64_t row = source(plan, height, tile.row + i - height.pad_before);
      if (row < 0) {
        std::fill_n(to, n, T{0});
        continue;
      }
      const T* const line = from + row * width.in;
      const auto border = [&](int64_t j) {
        const int64_t column = source(plan, width, first + j);
        to[j] = column < 0 ? T{0} : line[column];
      };
      for (int64_t j = 0; j < begin; ++j) border(j);
      if (begin < end) std::copy(line + (first + begin), line + (first + end), to + begin);
      for (int64_t j = end; j < n; ++j) border(j);
    }
  }

  // -1 for zeros, as beyond the padding, which only outputs that are dropped read.
  static int64_t source(const ConvPlan& plan, const Axis& axis, int64_t position) {
    return position < axis.in + axis.pad_after ? padded_position(plan.padding_mode, position, axis.in) : -1;
  }

  void scatter(const ConvPlan& plan, const T* from, const Tile& tile, T bias, T* to) const {
    const int64_t width = plan.axis[2].out;
    const int64_t rows = std::min(tile.rows, plan.axis[1].out - tile.row);
    const int64_t columns = std::min(tile.columns, width - tile.column);
    for (int64_t i = 0; i < rows; ++i) {
      T* const line = to + (tile.row + i) * width + tile.column;
      for (int64_t j = 0; j < columns; ++j) {
        T value = from[i * fft_.pitch() + j] + bias;
        value = value < lo_ ? lo_ : value;  // NaN passes
        line[j] = value > hi_ ? hi_ : value;
      }
    }
  }

  const TileFft<T> fft_;
  const int64_t in_channels_, out_channels_;  // of a group
  AlignedArray<T> spectra_;  // [output channel][input channel of the group][part], as TileFft leaves them
  AlignedArray<T> bias_;
  const T lo_, hi_;
};

template <typename T>
std::shared_ptr<const ConvRunner> make(const Context& context, const ConvPlan& plan, const void* weight,
                                       const void* bias, double lo, double hi) {
  return std::make_shared<FftConv<T>>(context, plan, static_cast<const T*>(weight),
                                      static_cast<const T*>(bias), static_cast<T>(lo), static_cast<T>(hi));
}

}  // namespace

std::shared_ptr<const ConvRunner> pack_fft_forward(const Context& context, const ConvPlan& plan,
                                                   const void* weight, const void* bias, double lo,
                                                   double hi) {
  return (plan.dtype == DType::f64 ? make<double> : make<float>)(context, plan, weight, bias, lo, hi);
}

}  // namespace convmat
