// Convolution of images whose channels lie in blocks of a vector's lanes: x[image][block][row][column][lane],
// y likewise. Output channels are on the lanes; the weights of a few of them by a block of input channels
// stay in L1 while all pixels of a chunk pass by.
#include "conv/blocked.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "conv/algorithm.h"
#include "plan/arith.h"
#include "plan/sizes.h"
#include "runtime/aligned.h"
#include "runtime/arena.h"
#include "runtime/epilogue.h"
#include "runtime/thread_pool.h"
#include "runtime/tuning.h"
#include "table/table.h"

namespace convmat {
namespace {

// Of the weights that all pixels of a chunk meet one after the other, and of products that are summed in one
// go: L1 holds them beside the pixels of a tile.
constexpr int64_t kPassBytes = 32 << 10, kPassProducts = 256;

// A chunk should take so long, so that claiming it costs nothing and a call can be cancelled.
constexpr double kChunkMinNs = 15e3;
constexpr int64_t kChunksPerThread = 4;

constexpr double kNsPerPackedWeight = 0.4;

// Vectors of output channels in panels of the kernels' widest.
struct Panels {
  int64_t vectors, most;

  int64_t count() const { return ceil_div(vectors, most); }
  int64_t first(int64_t panel) const { return panel * vectors / count(); }
  int64_t width(int64_t panel) const { return first(panel + 1) - first(panel); }
};

struct BlockedWeights {
  AlignedArray<float> weights;  // [panel][block of channels][tap][channel][vector][lane]
  AlignedArray<float> bias;     // [vector][lane]
  float lo, hi;
};

class BlockedRun {
 public:
  BlockedRun(const Context& context, const ConvPlan& plan, const BlockedWeights& packed, const float* x,
             float* y)
      : context_(context),
        kernels_(context.kernels->steps),
        plan_(plan),
        packed_(packed),
        addend_(static_cast<const float*>(context.addend)),
        x_(x),
        y_(y),
        lanes_(plan.output_block),
        panels_{ceil_div(plan.out_channels, lanes_), context.kernels->f32.direct_blocking.vectors},
        blocks_(ceil_div(plan.in_channels, lanes_)),
        taps_(plan.axis[1].kernel * plan.axis[2].kernel),
        height_(plan.axis[1]),
        width_(plan.axis[2]) {
    is_padded_ = height_.pad_before + height_.pad_after + width_.pad_before + width_.pad_after > 0;
    // Pixels of a 1x1 kernel are one long row. Where it skips some, and every chunk reads its weights from
    // afar, those that it reads are copied: a chunk then holds four times as many of stride 2. 1024 -> 2048
    // channels on 14x14 take 1.2 ms instead of 1.8, 512 -> 1024 on 28x28 1.06 instead of 1.25; 256 -> 512 on
    // 56x56, whose weights L2 holds, lost a tenth (Xeon with 2 MB of L2).
    const bool is_dense = height_.stride == 1 && width_.stride == 1;
    is_gathered_ = taps_ == 1 && !is_padded_ && !is_dense && weight_bytes() > tuning::kDirectInputBytes;
    if (taps_ == 1 && !is_padded_ && (is_dense || is_gathered_)) {
      const int64_t pixels = height_.out * width_.out;
      height_ = {1, 1, 1, 1, 0, 0, 1};
      width_ = {pixels, 1, 1, 1, 0, 0, pixels};
    }
    const int64_t pass = std::min(kPassBytes / (panels_.width(0) * lanes_ * 4), kPassProducts);
    pass_blocks_ = std::max<int64_t>(1, pass / (lanes_ * taps_));
    share();
  }

  void run() const {
    parallel_for(plan_.batch * row_chunks_ * column_chunks_ * panel_parts_, cost_ns_, [this](int64_t i) {
      if (!context_.is_cancelled()) run_chunk(i);
    });
  }

 private:
  // The fewer chunks, the less often weights are read again; what a chunk reads stays in L2.
  void share() {
    const double macs = static_cast<double>(panels_.vectors * lanes_) *
                        static_cast<double>(plan_.in_channels) *
                        static_cast<double>(taps_ * plan_.batch * height_.out * width_.out);
    cost_ns_ = macs / context_.kernels->f32.gemm_blocking.fma_per_ns;
    const int threads = cost_ns_ < kParallelWorthNs ? 1 : ThreadPool::shared().threads();
    const int64_t wanted =
        threads == 1 ? 1
                     : std::min(kChunksPerThread * threads, static_cast<int64_t>(cost_ns_ / kChunkMinNs) + 1);

    const int64_t fits = weight_bytes() <= tuning::kDirectInputBytes ? tuning::kDirectNearInputBytes
                                                                     : tuning::kDirectInputBytes;
    const bool is_flat = height_.out == 1;
    const int64_t units = is_flat ? width_.out : height_.out;
    const int64_t unit_bytes =
        blocks_ * lanes_ * 4 * (is_flat ? width_.stride * height_.in : height_.stride * width_.in);
    int64_t chunks = std::clamp<int64_t>(ceil_div(units * unit_bytes, fits), 1, units);
    // Weights that are read from L3 for every chunk cost more than an input that is.
    panel_parts_ = 1;
    const int64_t others = std::max<int64_t>(1, wanted / plan_.batch);
    if (chunks < others && weight_bytes() > fits) {
      panel_parts_ = std::min(panels_.count(), ceil_div(others, chunks));
    } else {
      chunks = std::clamp<int64_t>(others, chunks, std::max<int64_t>(chunks, units / (is_flat ? 28 : 1)));
    }
    unit_ = ceil_div(units, chunks);
    row_chunks_ = is_flat ? 1 : ceil_div(units, unit_);
    column_chunks_ = is_flat ? ceil_div(units, unit_) : 1;
  }

  int64_t weight_bytes() const { return packed_.weights.size() * static_cast<int64_t>(sizeof(float)); }
  int64_t kernel_columns() const { return (width_.kernel - 1) * width_.dilation + 1; }
  int64_t kernel_rows() const { return (height_.kernel - 1) * height_.dilation + 1; }

  // What a chunk's outputs read: rows and columns from `origin` on.
  struct View {
    const float* origin;
    int64_t row, block;  // from one to the next, in elements
  };

  void run_chunk(int64_t index) const {
    const auto next = [&index](int64_t count) {
      const int64_t i = index % count;
      index /= count;
      return i;
    };
    const int64_t part = next(panel_parts_);
    const bool is_flat = height_.out == 1;
    const int64_t column = next(column_chunks_) * unit_, row = next(row_chunks_) * unit_;
    const int64_t columns = is_flat ? std::min(unit_, width_.out - column) : width_.out;
    const int64_t rows = is_flat ? 1 : std::min(unit_, height_.out - row);
    const int64_t image = index;
    if (rows <= 0 || columns <= 0) return;

    ArenaFrame arena;
    const View view = view_of(image, row, rows, column, columns, arena);
    auto* const taps = arena.take<BlockedTap>(blocks_ * taps_);
    for (int64_t panel = part * panels_.count() / panel_parts_;
         panel < (part + 1) * panels_.count() / panel_parts_; ++panel) {
      if (context_.is_cancelled()) return;
      run_panel(view, taps, image, panel, row, rows, column, columns);
    }
  }

  // The image where it lies, or a copy of what is read, with zeros around it.
  View view_of(int64_t image, int64_t row, int64_t rows, int64_t column, int64_t columns,
               ArenaFrame& arena) const {
    if (is_gathered_) return gather(image, column, columns, arena);
    const int64_t plane = height_.in * width_.in * lanes_;
    const float* const from = x_ + image * blocks_ * plane;
    const int64_t first_row = row * height_.stride - height_.pad_before;
    const int64_t first_column = column * width_.stride - width_.pad_before;
    if (!is_padded_)
      return {from + (first_row * width_.in + first_column) * lanes_, width_.in * lanes_, plane};
    const int64_t down = (rows - 1) * height_.stride + kernel_rows();
    const int64_t across = (columns - 1) * width_.stride + kernel_columns();
    const int64_t begin = std::clamp<int64_t>(-first_column, 0, across);
    const int64_t end = std::clamp<int64_t>(width_.in - first_column, begin, across);
    float* const frame = arena.take<float>(blocks_ * down * across * lanes_);
    const auto zero = [this](float* to, int64_t pixels) {
      std::memset(to, 0, sizeof(float) * static_cast<size_t>(pixels * lanes_));
    };
    float* to = frame;
    for (int64_t b = 0; b < blocks_; ++b) {
      for (int64_t i = 0; i < down; ++i, to += across * lanes_) {
        const int64_t r = first_row + i;
        if (r < 0 || r >= height_.in) {
          zero(to, across);
          continue;
        }
        zero(to, begin);
        std::memcpy(to + begin * lanes_, from + b * plane + (r * width_.in + first_column + begin) * lanes_,
                    sizeof(float) * static_cast<size_t>((end - begin) * lanes_));
        zero(to + end * lanes_, across - end);
      }
    }
    return {frame, across * lanes_, down * across * lanes_};
  }

  // The pixels that outputs from `first` on read, in a row.
  View gather(int64_t image, int64_t first, int64_t count, ArenaFrame& arena) const {
    const Axis &height = plan_.axis[1], &width = plan_.axis[2];
    const int64_t plane = height.in * width.in * lanes_;
    const float* from = x_ + image * blocks_ * plane;
    float* const pixels = arena.take<float>(blocks_ * count * lanes_);
    float* to = pixels;
    for (int64_t b = 0; b < blocks_; ++b, from += plane) {
      for (int64_t i = 0; i < count;) {
        const int64_t row = (first + i) / width.out, column = (first + i) % width.out;
        const int64_t end = std::min(count, i + width.out - column);
        const float* pixel = from + (row * height.stride * width.in + column * width.stride) * lanes_;
        for (; i < end; ++i, pixel += width.stride * lanes_, to += lanes_)
          std::memcpy(to, pixel, sizeof(float) * static_cast<size_t>(lanes_));
      }
    }
    return {pixels, count * lanes_, count * lanes_};
  }

  void run_panel(const View& view, BlockedTap* taps, int64_t image, int64_t panel, int64_t row, int64_t rows,
                 int64_t column, int64_t columns) const {
    const int64_t vectors = panels_.width(panel), width = vectors * lanes_;
    const int64_t first = panels_.first(panel);
    BlockedTap* tap = taps;
    for (int64_t b = 0; b < blocks_; ++b) {
      const int64_t channels = std::min(lanes_, plan_.in_channels - b * lanes_);
      for (int64_t q = 0; q < height_.kernel; ++q) {
        for (int64_t r = 0; r < width_.kernel; ++r) {
          *tap++ = {b * view.block + q * height_.dilation * view.row + r * width_.dilation * lanes_,
                    ((b * taps_) * lanes_ + (q * width_.kernel + r) * channels) * width, channels};
        }
      }
    }

    ArenaFrame arena;
    const int64_t passes = ceil_div(blocks_, pass_blocks_);
    float* const sums = passes > 1 ? arena.take<float>(rows * columns * width) : nullptr;
    const int64_t out_plane = height_.out * width_.out * lanes_;
    const int64_t at = (image * panels_.vectors + first) * out_plane + (row * width_.out + column) * lanes_;
    const float* const weights = packed_.weights.data() + first * lanes_ * plan_.in_channels * taps_;

    BlockedProduct f;
    f.y_vector = out_plane;
    f.bias = packed_.bias.data() + first * lanes_;
    f.lo = packed_.lo;
    f.hi = packed_.hi;
    f.w = weights;
    const int64_t tile = kernels_.blocked_tile(static_cast<int>(vectors));
    // Evenly by all tiles that pass by: the next pass's weights, or the next panel's, come from afar.
    f.ahead_step = width / (rows * ceil_div(columns, tile));
    for (int64_t pass = 0; pass < passes; ++pass) {
      const int64_t block = pass * pass_blocks_, count = std::min(pass_blocks_, blocks_ - block);
      f.taps = taps + block * taps_;
      f.tap_count = count * taps_;
      f.is_first = pass == 0;
      f.is_last = pass + 1 == passes;
      f.ahead = weights + (block + count) * taps_ * lanes_ * width;
      f.sums = sums;
      for (int64_t i = 0; i < rows; ++i) {
        f.x = view.origin + i * height_.stride * view.row;
        f.y = y_ + at + i * width_.out * lanes_;
        f.addend = addend_ == nullptr ? nullptr : addend_ + at + i * width_.out * lanes_;
        kernels_.blocked_product(static_cast<int>(vectors), static_cast<int>(width_.stride), columns, f);
        if (sums != nullptr) f.sums += columns * width;
        f.ahead += ceil_div(columns, tile) * f.ahead_step * count * lanes_ * taps_;
      }
    }
    if (context_.epilogue != nullptr)
      context_.epilogue->run(y_ + at, vectors, out_plane, rows * columns * lanes_);
  }

  const Context& context_;
  const StepKernels& kernels_;
  const ConvPlan& plan_;
  const BlockedWeights& packed_;
  const float* const addend_;
  const float* const x_;
  float* const y_;
  const int64_t lanes_;
  const Panels panels_;
  const int64_t blocks_, taps_;
  Axis height_, width_;
  bool is_padded_;
  bool is_gathered_;     // pixels are copied without those between them
  int64_t pass_blocks_;  // of channels
  int64_t unit_, row_chunks_, column_chunks_, panel_parts_;
  double cost_ns_;
};

class BlockedConv final : public ConvRunner {
 public:
  explicit BlockedConv(BlockedWeights packed) : packed_(std::move(packed)) {}
  size_t bytes() const override { return sizeof(*this) + packed_.weights.bytes() + packed_.bias.bytes(); }
  bool applies_epilogue() const override { return true; }
  bool applies_addend() const override { return true; }
  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    BlockedRun(context, plan, packed_, static_cast<const float*>(input), static_cast<float*>(output)).run();
  }

 private:
  const BlockedWeights packed_;
};

}  // namespace

bool serves_blocked(const ConvPlan& plan) {
  const Axis &depth = plan.axis[0], &width = plan.axis[2];
  return plan.op == ConvOp::forward && plan.dtype == DType::f32 && plan.groups == 1 &&
         plan.input_block == plan.output_block && plan.padding_mode == PaddingMode::zeros && depth.in == 1 &&
         depth.kernel == 1 && depth.out == 1 && (width.stride <= 2 || width.out == 1) &&
         plan.axis[1].pad_before >= 0 && plan.axis[1].pad_after >= 0 && width.pad_before >= 0 &&
         width.pad_after >= 0;
}

std::shared_ptr<const ConvRunner> pack_blocked(const Context& context, const ConvPlan& plan,
                                               const void* weight, const void* bias, double lo, double hi) {
  const int64_t lanes = plan.output_block, taps = taps_of(plan);
  const Panels panels{ceil_div(plan.out_channels, lanes), context.kernels->f32.direct_blocking.vectors};
  BlockedWeights packed = {AlignedArray<float>(panels.vectors * lanes * plan.in_channels * taps),
                           AlignedArray<float>(panels.vectors * lanes), static_cast<float>(lo),
                           static_cast<float>(hi)};
  const auto* const from = static_cast<const float*>(weight);
  // Rows of a kernel's weights become columns; then those of one tap go together.
  parallel_for(panels.count(), kNsPerPackedWeight * static_cast<double>(packed.weights.size()),
               [&](int64_t panel) {
                 const int64_t first = panels.first(panel) * lanes, width = panels.width(panel) * lanes;
                 const int64_t used = std::min(width, plan.out_channels - first);
                 const int64_t row = plan.in_channels * taps;
                 ArenaFrame arena;
                 float* const columns = arena.take<float>(lanes * taps * width + lanes);
                 float* to = packed.weights.data() + first * row;
                 for (int64_t block = 0; block < plan.in_channels; block += lanes) {
                   const int64_t channels = std::min(lanes, plan.in_channels - block);
                   context.kernels->f32.transpose(used, channels * taps, from + first * row + block * taps,
                                                  row, columns, width);
                   for (int64_t t = 0; t < taps; ++t) {
                     for (int64_t c = 0; c < channels; ++c, to += width) {
                       std::copy_n(columns + (c * taps + t) * width, used, to);
                       std::fill_n(to + used, width - used, 0.0f);
                     }
                   }
                 }
               });
  for (int64_t k = 0; k < packed.bias.size(); ++k) {
    packed.bias.data()[k] =
        bias != nullptr && k < plan.out_channels ? static_cast<const float*>(bias)[k] : 0.0f;
  }
  return std::make_shared<BlockedConv>(std::move(packed));
}

}  // namespace convmat
