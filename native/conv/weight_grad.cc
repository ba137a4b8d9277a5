// The gradients of a convolution's bias, and of its weights, dw[o][rows] = sum over images and outputs of
// dy[o][outputs] * lowered[rows][outputs], in two ways. By im2col it is a GEMM whose k runs along both
// operands' rows: blocks of dy and of the lowered image are transposed on their way into the packed panels.
// The direct way lowers nothing: it broadcasts the image from where it lies, or from a frame with its
// padding, and transposes blocks of dy alone, to output channels on the lanes.
#include "conv/weight_grad.h"

#include <algorithm>
#include <limits>

#include "conv/algorithm.h"
#include "geometry/lowering.h"
#include "geometry/view.h"
#include "plan/arith.h"
#include "plan/dispatch.h"
#include "product/lowered_product.h"
#include "runtime/aligned.h"
#include "runtime/arena.h"
#include "runtime/caches.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

constexpr int64_t kSlack = kSlackBytes;  // elements: enough for any type

// Outputs that the sums advance by: a panel of A that long stays in L1, B's in L2. Part of the order of
// summation, so it is the same for every instruction set and number of threads.
constexpr int64_t kBlockOutputs = 256;
// Rows of the lowered matrix (columns of dw) per task.
constexpr int64_t kMaxBlockRows = 512;

template <typename T>
class Im2colWeightGrad {
 public:
  Im2colWeightGrad(const Context& context, const ConvPlan& plan)
      : context_(context),
        kernels_(context.kernels->of<T>()),
        plan_(plan),
        lowering_(lower_forward(plan)),
        group_out_(plan.out_channels / plan.groups),
        panels_(group_out_, kernels_.gemm_blocking.mr) {}

  void run(const T* x, const T* dy, T* dw) const {
    const int64_t rows = lowering_.rows();
    if (plan_.batch * lowering_.outputs() == 0) {
      std::fill_n(dw, plan_.out_channels * rows, T{0});
      return;
    }
    const double cost_ns = static_cast<double>(plan_.batch) * static_cast<double>(plan_.out_channels) *
                           static_cast<double>(rows) * static_cast<double>(lowering_.outputs()) /
                           kernels_.gemm_blocking.fma_per_ns;
    const int threads = cost_ns < kParallelWorthNs ? 1 : ThreadPool::shared().threads();
    const int64_t shares = threads == 1 ? 1 : ceil_div(2 * threads, plan_.groups);
    const RowBlocks blocks(lowering_, std::clamp<int64_t>(ceil_div(rows, shares), 1, kMaxBlockRows));
    parallel_for(plan_.groups * blocks.count(), cost_ns, [&](int64_t task) {
      run_block(task / blocks.count(), blocks[task % blocks.count()], x, dy, dw);
    });
  }

 private:
  int64_t width() const {
    return panels_.rows <= kernels_.gemm_blocking.wide_mr ? kernels_.gemm_blocking.wide_nr
                                                          : kernels_.gemm_blocking.nr;
  }

  // dw of one group, for one block of rows of the lowered matrix.
  void run_block(int64_t group, const RowBlocks::Block& block, const T* x, const T* dy, T* dw) const {
    const int64_t outputs = lowering_.outputs(), rows = block.rows(), nr = width();
    const int64_t b_panels = ceil_div(rows, nr);
    const int64_t image_size = lowering_.channels * lowering_.channel_stride;
    const int64_t depth = std::min(kBlockOutputs, outputs);
    ArenaFrame frame;
    T* const a_panel = frame.take<T>(panels_.height * depth + kSlack);
    T* const b_packed = frame.take<T>(b_panels * nr * depth + kSlack);
    T* const columns = frame.take<T>(rows * kMaxPanelColumns + kSlack);
    PanelSegments segments(frame, lowering_, block.taps, kMaxPanelColumns);
    T* const target =
        dw + group * group_out_ * lowering_.rows() + block.channel * lowering_.taps() + block.tap;

    bool accumulate = false;
    for (int64_t n = 0; n < plan_.batch; ++n) {
      const int64_t image = n * plan_.groups + group;
      const T* const block_x = x + image * image_size + block.channel * lowering_.channel_stride;
      const T* const block_dy = dy + image * group_out_ * outputs;
      for (int64_t j = 0; j < outputs; j += kBlockOutputs) {
        if (context_.is_cancelled()) return;
        const int64_t k = std::min(kBlockOutputs, outputs - j);
        pack_lowered(block_x, block, j, k, segments, columns, b_packed);
        multiply(k, rows, block_dy + j, a_panel, b_packed, accumulate, target);
        accumulate = true;
      }
    }
  }

  // b[panel][k][nr] <-- lowered[rows][outputs j .. j + k]
  void pack_lowered(const T* image, const RowBlocks::Block& block, int64_t j, int64_t k,
                    PanelSegments& segments, T* columns, T* b) const {
    const int64_t rows = block.rows(), nr = width();
    for (int64_t i = 0; i < k; i += kMaxPanelColumns) {
      const int64_t count = std::min<int64_t>(kMaxPanelColumns, k - i);
      segments.describe(j + i, count, block.tap, block.taps);
      kernels_.im2col({image, block.channels, lowering_.channel_stride, block.taps, segments.tap_begin(),
                       segments.segments(), lowering_.axis[2].step, columns, kMaxPanelColumns});
      // Only the last panel can be ragged, and only slack is behind it.
      for (int64_t row = 0; row < rows; row += nr) {
        kernels_.transpose(std::min(nr, rows - row), count, columns + row * kMaxPanelColumns,
                           kMaxPanelColumns, b + row * k + i * nr, nr);
      }
    }
  }

  // target[o][rows] (+)= dy[o][k] * b: a panel of dy is transposed, and passes by all of B's panels while in
  // L1.
  void multiply(int64_t k, int64_t rows, const T* dy, T* a_panel, const T* b, bool accumulate,
                T* target) const {
    constexpr T inf = std::numeric_limits<T>::infinity();
    const int64_t nr = width();
    GemmTile<T> tile{k, a_panel, nullptr, nr, nullptr, lowering_.rows(), 0, accumulate, nullptr, -inf, inf};
    for (int64_t p = 0; p < panels_.count; ++p) {
      const int64_t first = panels_.first(p);
      const int height = panels_.height_of(p);
      kernels_.transpose(height, k, dy + first * lowering_.outputs(), lowering_.outputs(), a_panel, height);
      for (int64_t row = 0; row < rows; row += nr) {
        tile.b = b + row * k;
        tile.n = std::min(nr, rows - row);
        tile.c = target + first * lowering_.rows() + row;
        kernels_.gemm(height, tile);
      }
    }
  }

  const Context& context_;
  const Kernels<T>& kernels_;
  const ConvPlan& plan_;
  Lowering lowering_;
  int64_t group_out_;
  RowPanels panels_;
};

// Outputs that the direct sums advance by, at most: they are summed apart and then together, so
// that errors grow with the root of a block. Their gradients fill L1 or pass through from L2.
constexpr int64_t kOutputs = 256;

// Sums of a task, and the frame that they read: both stay in L2.
constexpr int64_t kSumsBytes = kL2Bytes / 2, kFrameBytes = kL2Bytes / 2;

template <typename T>
class DirectWeightGrad {
 public:
  DirectWeightGrad(const Context& context, const ConvPlan& plan)
      : context_(context),
        kernels_(context.kernels->of<T>()),
        plan_(plan),
        channels_(plan.in_channels / plan.groups),
        group_out_(plan.out_channels / plan.groups),
        row_taps_(plan.axis[2].kernel),
        taps_(plan.axis[0].kernel * plan.axis[1].kernel * row_taps_),
        lanes_(kernels_.direct_blocking.lanes),
        panel_width_(kernels_.direct_blocking.vectors * lanes_) {
    const Axis &height = plan.axis[1], &width = plan.axis[2];
    const int64_t columns = std::max<int64_t>(1, width.out), rows = std::max<int64_t>(1, height.out);
    columns_ = ceil_div(columns, ceil_div(columns, kOutputs));
    rows_ = std::clamp<int64_t>(kOutputs / columns_, 1, rows);
    rows_ = ceil_div(rows, ceil_div(rows, rows_));
    // Channels of a task: as many as memory takes, fewer where that gives every thread work.
    const auto bytes = [](int64_t elements) { return elements * static_cast<int64_t>(sizeof(T)); };
    const int64_t frame = bytes(frame_elements(plan.axis, 1, rows_, columns_, 1));
    const int64_t fit = std::min(kSumsBytes / bytes(taps_ * panel_width_), kFrameBytes / frame);
    const double macs = static_cast<double>(plan.batch * plan.out_channels * channels_ * taps_) *
                        static_cast<double>(plan.axis[0].out * height.out * width.out);
    cost_ns_ = macs / kernels_.gemm_blocking.fma_per_ns;
    const int64_t panels = plan.groups * ceil_div(group_out_, panel_width_);
    const int threads = cost_ns_ < kParallelWorthNs ? 1 : ThreadPool::shared().threads();
    const int64_t wanted = threads == 1 ? 1 : ceil_div(kTasksPerThread * threads, panels);
    const int64_t blocks = std::max(ceil_div(channels_, std::max<int64_t>(1, fit)), wanted);
    channel_block_ =
        std::max<int64_t>(1, ceil_div(channels_, std::max<int64_t>(1, std::min(blocks, channels_))));
  }

  // Every sum advances by the same blocks of outputs, whatever else is in its task.
  void run(const T* x, const T* dy, T* dw) const {
    const int64_t panels = ceil_div(group_out_, panel_width_), blocks = ceil_div(channels_, channel_block_);
    parallel_for(plan_.groups * panels * blocks, cost_ns_, [&](int64_t task) {
      const int64_t channel = task % blocks * channel_block_, panel = task / blocks % panels;
      run_task(task / blocks / panels, panel * panel_width_, channel, x, dy, dw);
    });
  }

 private:
  static constexpr int64_t kTasksPerThread = 3;

  // Of the output channels from `first` on and the input channels from `channel` on.
  void run_task(int64_t group, int64_t first, int64_t channel, const T* x, const T* dy, T* dw) const {
    const Axis(&a)[3] = plan_.axis;
    const int64_t in_plane = a[0].in * a[1].in * a[2].in, out_plane = a[0].out * a[1].out * a[2].out;
    ArenaFrame arena;
    Task task;
    task.outputs = std::min(panel_width_, group_out_ - first);
    task.vectors = ceil_div(task.outputs, lanes_);
    task.channels = std::min(channel_block_, channels_ - channel);
    task.sums = arena.take<T>(task.vectors * task.weights(taps_) * lanes_);
    task.dy = arena.take<T>(rows_ * columns_ * task.vectors * lanes_);
    task.x = arena.take<const T*>(task.weights(taps_));
    task.places = arena.take<int64_t>(task.weights(taps_));
    std::fill_n(task.sums, task.vectors * task.weights(taps_) * lanes_, T{0});

    for (int64_t n = 0; n < plan_.batch; ++n) {
      const T* const image = x + (n * plan_.in_channels + group * channels_ + channel) * in_plane;
      const T* const grad = dy + (n * plan_.out_channels + group * group_out_ + first) * out_plane;
      for (int64_t depth = 0; depth < a[0].out; ++depth) {
        for (int64_t row = 0; row < a[1].out; row += rows_) {
          if (context_.is_cancelled()) return;
          for (int64_t column = 0; column < a[2].out; column += columns_) {
            add_block(
                {depth, row, std::min(rows_, a[1].out - row), column, std::min(columns_, a[2].out - column)},
                image, grad, task);
          }
        }
      }
    }
    const int64_t ld = channels_ * taps_;
    T* const to = dw + (group * group_out_ + first) * ld + channel * taps_;
    for (int64_t v = 0; v < task.vectors; ++v) {
      const int used = static_cast<int>(std::min(lanes_, task.outputs - v * lanes_));
      kernels_.unlane_rows(used, task.weights(taps_), task.sums + v * task.weights(taps_) * lanes_,
                           to + v * lanes_ * ld, ld);
    }
  }

  struct Task {
    int64_t outputs, vectors, channels;
    T* sums;          // [vector][channel][tap][lane]
    T* dy;            // [row][column][lane of all vectors]
    const T** x;      // of the weights of a tile
    int64_t* places;  // likewise
    int64_t weights(int64_t taps) const { return channels * taps; }
  };

  void add_block(const OutputBlock& block, const T* image, const T* dy, Task& task) const {
    const Axis(&a)[3] = plan_.axis;
    const int64_t width = task.vectors * lanes_, out_plane = a[0].out * a[1].out * a[2].out;
    const T* const first = dy + (block.depth * a[1].out + block.first_row) * a[2].out + block.first_column;
    const bool whole = block.columns == a[2].out;
    for (int64_t row = 0; row < (whole ? 1 : block.rows); ++row) {
      kernels_.transpose(task.outputs, block.columns * (whole ? block.rows : 1), first + row * a[2].out,
                         out_plane, task.dy + row * block.columns * width, width);
    }
    ArenaFrame arena;
    const InputView<T> view =
        view_input(kernels_, plan_.padding_mode, a, image, task.channels, block, 1, arena);
    const TapRange depths = valid_taps(plan_.padding_mode, a[0], block.depth);
    for (int64_t p = depths.first; p < depths.end; ++p) {
      // Rows of taps that reach into the image from the same outputs go together.
      for (int64_t q = 0, end; q < a[1].kernel; q = end) {
        const Rows rows = rows_inside(q, block);
        for (end = q + 1; end < a[1].kernel && rows_inside(end, block) == rows; ++end) {
        }
        if (rows.first < rows.end) add_taps(view, block, rows, p, q, end, task);
      }
    }
  }

  // Rows of a block of outputs.
  struct Rows {
    int64_t first, end;
    bool operator==(const Rows& other) const { return first == other.first && end == other.end; }
  };

  // Those for which tap q is inside the image; all of them when padding is not zeros.
  Rows rows_inside(int64_t q, const OutputBlock& block) const {
    if (plan_.padding_mode != PaddingMode::zeros) return {0, block.rows};
    const Axis& height = plan_.axis[1];
    const int64_t base = block.first_row * height.stride + q * height.dilation - height.pad_before;
    const int64_t first = base >= 0 ? 0 : ceil_div(-base, height.stride);
    const int64_t end = base >= height.in ? 0 : ceil_div(height.in - base, height.stride);
    return {std::min(first, block.rows), std::min(end, block.rows)};
  }

  // Taps [q, q_end) of the height at tap p of the depth, all channels.
  void add_taps(const InputView<T>& view, const OutputBlock& block, Rows rows, int64_t p, int64_t q,
                int64_t q_end, Task& task) const {
    int64_t count = 0;
    for (int64_t c = 0; c < task.channels; ++c) {
      const T* const origin = view.origin + c * view.channel + rows.first * view.out_row + p * view.tap_depth;
      int64_t place = (c * taps_ + (p * plan_.axis[1].kernel + q) * row_taps_) * lanes_;
      for (int64_t i = q; i < q_end; ++i) {
        for (int64_t r = 0; r < row_taps_; ++r, place += lanes_) {
          task.x[count] = origin + i * view.tap_row + view.tap_column[r];
          task.places[count++] = place;
        }
      }
    }
    const int64_t width = task.vectors * lanes_;
    kernels_.weight_grad(
        static_cast<int>(task.vectors),
        {task.x, view.out_row, task.dy + rows.first * block.columns * width, width, rows.end - rows.first,
         block.columns, count, task.places, task.sums, task.weights(taps_) * lanes_});
  }

  const Context& context_;
  const Kernels<T>& kernels_;
  const ConvPlan& plan_;
  const int64_t channels_, group_out_;  // of a group
  const int64_t row_taps_, taps_;
  const int64_t lanes_, panel_width_;
  int64_t rows_, columns_;  // of a block of outputs
  int64_t channel_block_;
  double cost_ns_;
};

template <typename T>
void run_weight_grad(const Context& context, const ConvPlan& plan, const void* input, const void* grad_output,
                     void* grad_weight) {
  const T *const x = static_cast<const T*>(input), *const dy = static_cast<const T*>(grad_output);
  if (plan.algorithm == Algorithm::direct) {
    DirectWeightGrad<T>(context, plan).run(x, dy, static_cast<T*>(grad_weight));
  } else {
    Im2colWeightGrad<T>(context, plan).run(x, dy, static_cast<T*>(grad_weight));
  }
}

// Sums side by side: one alone would wait for each addition to finish.
template <typename T>
double sum_of(const T* values, int64_t count) {
  constexpr int kSums = 16;
  double sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= count; i += kSums) {
    for (int s = 0; s < kSums; ++s) sums[s] += values[i + s];
  }
  for (; i < count; ++i) sums[i % kSums] += values[i];
  for (int half = kSums / 2; half > 0; half /= 2) {
    for (int s = 0; s < half; ++s) sums[s] += sums[s + half];
  }
  return sums[0];
}

// What an element of dy takes to read and add, about.
constexpr double kBiasGradNs = 0.25;

template <typename T>
void run_bias_grad(int64_t batch, int64_t channels, int64_t places, const void* grad_output,
                   void* grad_bias) {
  const T* const dy = static_cast<const T*>(grad_output);
  const double cost_ns = kBiasGradNs * static_cast<double>(batch * channels * places);
  parallel_for(channels, cost_ns, [&](int64_t c) {
    double sum = 0;
    for (int64_t n = 0; n < batch; ++n) sum += sum_of(dy + (n * channels + c) * places, places);
    static_cast<T*>(grad_bias)[c] = static_cast<T>(sum);
  });
}

}  // namespace

void conv_bias_grad(DType dtype, int64_t batch, int64_t channels, int64_t places, const void* grad_output,
                    void* grad_bias) {
  dispatch_float(dtype, [&](auto zero) {
    run_bias_grad<decltype(zero)>(batch, channels, places, grad_output, grad_bias);
  });
}

void conv_weight_grad(const Context& context, const ConvPlan& plan, const void* input,
                      const void* grad_output, void* grad_weight) {
  const bool is_empty = plan.batch * plan.axis[0].out * plan.axis[1].out * plan.axis[2].out == 0;
  if (plan.algorithm == Algorithm::fft && !is_empty &&
      fft_weight_grad(context, plan, input, grad_output, grad_weight))
    return;
  dispatch_float(plan.dtype, [&](auto zero) {
    run_weight_grad<decltype(zero)>(context, plan, input, grad_output, grad_weight);
  });
}

}  // namespace convmat
