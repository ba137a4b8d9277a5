// The gradient of a convolution's weights: dw[o][rows] = sum over images and outputs of dy[o][outputs] *
// lowered[rows][outputs], a GEMM whose k runs along both operands' rows. Blocks of dy and of the lowered
// image are transposed on their way into the packed panels.
#include <algorithm>
#include <cstring>
#include <limits>

#include "core/aligned.h"
#include "core/im2col.h"
#include "core/lowered_product.h"
#include "core/ops.h"
#include "core/thread_pool.h"
#include "core/typed_kernels.h"

namespace convmat {
namespace {

constexpr int64_t kSlack = kSlackBytes;  // elements: enough for any type

// Outputs that the sums advance by: a panel of A that long stays in L1, B's in L2. Part of the order of
// summation, so it is the same for every instruction set and number of threads.
constexpr int64_t kBlockOutputs = 256;
// Rows of the lowered matrix (columns of dw) per task.
constexpr int64_t kMaxBlockRows = 512;

template <typename T>
class WeightGrad {
 public:
  WeightGrad(const Context& context, const ConvPlan& plan)
      : context_(context),
        kernels_(typed_kernels<T>(*context.kernels)),
        plan_(plan),
        lowering_(lower_forward(plan)),
        group_out_(plan.out_channels / plan.groups),
        panels_(group_out_, kernels_.blocking.mr) {}

  void run(const T* x, const T* dy, T* dw) const {
    const int64_t rows = lowering_.rows();
    if (plan_.batch == 0) {
      std::memset(dw, 0, sizeof(T) * static_cast<size_t>(plan_.out_channels * rows));
      return;
    }
    const double cost_ns = static_cast<double>(plan_.batch) * static_cast<double>(plan_.out_channels) *
                           static_cast<double>(rows) * static_cast<double>(lowering_.outputs()) /
                           kernels_.blocking.fma_per_ns;
    const int threads = cost_ns < kParallelWorthNs ? 1 : ThreadPool::shared().threads();
    const int64_t shares = threads == 1 ? 1 : (2 * threads + plan_.groups - 1) / plan_.groups;
    const RowBlocks blocks(lowering_, std::clamp<int64_t>((rows + shares - 1) / shares, 1, kMaxBlockRows));
    parallel_for(plan_.groups * blocks.count(), cost_ns, [&](int64_t task) {
      run_block(task / blocks.count(), blocks[task % blocks.count()], x, dy, dw);
    });
  }

 private:
  int64_t width() const {
    return panels_.rows <= kernels_.blocking.wide_mr ? kernels_.blocking.wide_nr : kernels_.blocking.nr;
  }

  // dw of one group, for one block of rows of the lowered matrix.
  void run_block(int64_t group, const RowBlocks::Block& block, const T* x, const T* dy, T* dw) const {
    const int64_t outputs = lowering_.outputs(), rows = block.rows(), nr = width();
    const int64_t b_panels = (rows + nr - 1) / nr;
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
        if (context_.cancelled != nullptr && context_.cancelled->load(std::memory_order_relaxed)) return;
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
  TypedKernels<T> kernels_;
  const ConvPlan& plan_;
  Lowering lowering_;
  int64_t group_out_;
  RowPanels panels_;
};

}  // namespace

void conv_weight_grad(const Context& context, const ConvPlan& plan, const void* input,
                      const void* grad_output, void* grad_weight) {
  if (plan.dtype == DType::f64) {
    WeightGrad<double>(context, plan)
        .run(static_cast<const double*>(input), static_cast<const double*>(grad_output),
             static_cast<double*>(grad_weight));
  } else {
    WeightGrad<float>(context, plan)
        .run(static_cast<const float*>(input), static_cast<const float*>(grad_output),
             static_cast<float*>(grad_weight));
  }
}

}  // namespace convmat
