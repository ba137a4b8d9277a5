#include "conv/resummation.h"

#include <algorithm>
#include <new>

#include "geometry/lowering.h"
#include "plan/arith.h"
#include "runtime/epilogue.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {

namespace {

// The part of an axis that `out` outputs from `first` on read. Zeros stay padding; what else is padded
// becomes part of the image.
struct Window {
  Axis axis;
  int64_t begin;  // position in the whole of the part's first
};

Window window_of(PaddingMode mode, const Axis& whole, int64_t first, int64_t out) {
  int64_t begin = first - whole.pad_before, end = begin + out + whole.kernel - 1;
  Axis part = {0, whole.kernel, 1, 1, 0, 0, out};
  if (mode == PaddingMode::zeros) {
    part.pad_before = std::clamp<int64_t>(-begin, 0, end - begin - 1);  // one at least, as the image
    begin += part.pad_before;
    part.pad_after = std::clamp<int64_t>(end - whole.in, 0, end - begin - 1);
    end -= part.pad_after;
  }
  part.in = end - begin;
  return {part, begin};
}

}  // namespace

TileFlags::TileFlags(ArenaFrame& arena, const ConvPlan& plan, int64_t rows, int64_t columns)
    : rows_(rows),
      columns_(columns),
      down_(ceil_div(plan.axis[1].out, rows)),
      across_(ceil_div(plan.axis[2].out, columns)),
      size_(plan.batch * down_ * across_) {
  flags_ = arena.take<std::atomic<uint8_t>>(size_);
  for (int64_t i = 0; i < size_; ++i) new (&flags_[i]) std::atomic<uint8_t>(0);
}

template <typename T>
Resummation<T>::Resummation(const Context& context, const ConvPlan& plan, PackConvFn* pack, const T* weight,
                            const T* bias, double lo, double hi)
    : pack_(pack),
      weight_size_(plan.out_channels * (plan.in_channels / plan.groups) * plan.axis[1].kernel *
                   plan.axis[2].kernel),
      weight_(context.ownership, weight, weight_size_),
      bias_(context.ownership, bias, plan.out_channels),
      lo_(lo),
      hi_(hi) {}

template <typename T>
std::shared_ptr<const ConvRunner> Resummation<T>::direct(const Context& context, const ConvPlan& plan) const {
  const Lock lock(mutex_);
  if (direct_ == nullptr) {
    ConvPlan plain = plan;
    plain.input_block = plain.output_block = 1;
    direct_ = pack_(context, plain, weight_.data(), bias_.data(), lo_, hi_);
  }
  return direct_;
}

template <typename T>
void Resummation<T>::run(const Context& context, const ConvPlan& plan, const TileFlags& flags, const T* x,
                         T* y) const {
  int64_t flagged = 0;
  for (int64_t i = 0; i < flags.size(); ++i) flagged += flags.is_set(i) ? 1 : 0;
  if (flagged == 0) return;
  const std::shared_ptr<const ConvRunner> direct = this->direct(context, plan);
  const double cost_ns = static_cast<double>(flagged * flags.rows() * flags.columns()) *
                         static_cast<double>(weight_size_) /
                         context.kernels->of<T>().gemm_blocking.fma_per_ns;
  parallel_for(flags.size(), cost_ns, [&](int64_t i) {
    if (!flags.is_set(i)) return;
    const TileFlags::Place place = flags.place(i);
    run_tile(context, plan, *direct, place, std::min(flags.rows(), plan.axis[1].out - place.row),
             std::min(flags.columns(), plan.axis[2].out - place.column), x, y);
  });
}

// The same convolution of what the tile reads.
template <typename T>
void Resummation<T>::run_tile(const Context& context, const ConvPlan& plan, const ConvRunner& direct,
                              const TileFlags::Place& place, int64_t rows, int64_t columns, const T* x,
                              T* y) const {
  const Axis &height = plan.axis[1], &width = plan.axis[2];
  const Window down = window_of(plan.padding_mode, height, place.row, rows);
  const Window across = window_of(plan.padding_mode, width, place.column, columns);
  ConvPlan part = plan;
  part.batch = 1;
  part.axis[1] = down.axis;
  part.axis[2] = across.axis;
  part.input_block = part.output_block = 1;

  ArenaFrame arena;
  const int64_t in_plane = down.axis.in * across.axis.in, out_plane = rows * columns;
  T* const input = arena.take<T>(plan.in_channels * in_plane);
  T* const output = arena.take<T>(plan.out_channels * out_plane);
  T* to = input;
  const int64_t in_block = plan.input_block, out_block = plan.output_block;
  for (int64_t c = 0; c < plan.in_channels; ++c) {
    const int64_t plane = place.image * ceil_div(plan.in_channels, in_block) + c / in_block;
    const T* const from = x + plane * height.in * width.in * in_block + c % in_block;
    for (int64_t i = 0; i < down.axis.in; ++i) {
      const int64_t row = padded_position(plan.padding_mode, down.begin + i, height.in);
      for (int64_t j = 0; j < across.axis.in; ++j) {
        const int64_t column = padded_position(plan.padding_mode, across.begin + j, width.in);
        *to++ = row < 0 || column < 0 ? T{0} : from[(row * width.in + column) * in_block];
      }
    }
  }
  // Into memory of its own: what finishes the result knows where that lies.
  Context unfinished = context;
  unfinished.epilogue = nullptr;
  direct.run(unfinished, part, input, output);
  for (int64_t o = 0; o < plan.out_channels; ++o) {
    const int64_t plane = place.image * ceil_div(plan.out_channels, out_block) + o / out_block;
    T* const first = y + plane * height.out * width.out * out_block + o % out_block;
    for (int64_t i = 0; i < rows; ++i) {
      T* const to = first + ((place.row + i) * width.out + place.column) * out_block;
      const T* const sums = output + o * out_plane + i * columns;
      for (int64_t j = 0; j < columns; ++j) to[j * out_block] = sums[j];
      // Of a block, the other channels may be finished already.
      if (context.epilogue != nullptr && out_block == 1) context.epilogue->run(to, 1, columns, columns);
      for (int64_t j = 0; context.epilogue != nullptr && out_block > 1 && j < columns; ++j)
        context.epilogue->run(to + j * out_block, 1, 1, 1);
    }
  }
}

template class Resummation<float>;
template class Resummation<double>;

}  // namespace convmat
