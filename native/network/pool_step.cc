// Pooling by its plan. Windows of float32 over one or two axes go by whole rows: first down the columns, then
// along the row, so that a window of k x k takes 2 k steps of vectors.
#include <algorithm>
#include <limits>
#include <vector>

#include "network/blocks.h"
#include "network/step.h"
#include "ops/blocked_window.h"
#include "ops/pool.h"
#include "plan/arith.h"
#include "runtime/arena.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

constexpr double kNsPerElement = 0.3;
constexpr int64_t kChunkElements = 32 << 10;
constexpr int64_t kMostTaps = 16;

void no_scalar(const ProgramInstruction&, const float*, const float*, float*, int64_t) {}

// One kind of pooling over planes of rows and columns.
class RowPool {
 public:
  RowPool(const KernelTable& kernels, const PoolPlan& plan, bool is_max)
      : kernels_(kernels),
        height_(plan.axis[1]),
        width_(plan.axis[2]),
        op_(is_max ? ProgramOp::maximum : ProgramOp::add),
        nothing_(is_max ? -std::numeric_limits<float>::infinity() : 0.0f),
        // Columns with their padding, in whole strides.
        pitch_((width_.out - 1 + ceil_div(width_.kernel, width_.stride)) * width_.stride) {
    if (is_max) return;
    for (int64_t o = 0; o < width_.out; ++o) columns_.push_back(covered(width_, o, plan.count_include_pad));
    for (int64_t o = 0; o < height_.out; ++o) rows_.push_back(covered(height_, o, plan.count_include_pad));
  }

  // Whether a plan is one that this serves.
  static bool serves(const PoolPlan& plan) {
    const Axis &depth = plan.axis[0], &height = plan.axis[1], &width = plan.axis[2];
    return plan.dtype == DType::f32 && depth.in == 1 && depth.kernel == 1 && depth.out == 1 &&
           height.dilation == 1 && width.dilation == 1 && width.stride <= 4 && width.out > 0 &&
           height.kernel <= kMostTaps && width.kernel <= kMostTaps;
  }

  // What planes are pooled in, one after the other.
  struct Scratch {
    float *padded, *apart, *sums;
  };
  Scratch take(ArenaFrame& arena) const {
    const int64_t length = height_.out * pitch_;
    Scratch scratch = {arena.take<float>(length), arena.take<float>(length), arena.take<float>(length)};
    // What stands for padding stays; the rest is written plane by plane.
    std::fill_n(scratch.padded, length, nothing_);
    return scratch;
  }

  void run(const Scratch& scratch, const float* x, float* y) const {
    const int64_t count = std::min(width_.in, pitch_ - width_.pad_before);
    for (int64_t o = 0; o < height_.out; ++o) {
      const int64_t first = std::max<int64_t>(0, o * height_.stride - height_.pad_before);
      const int64_t end = std::min(height_.in, o * height_.stride - height_.pad_before + height_.kernel);
      combine(x + first * width_.in, width_.in, end - first, scratch.padded + o * pitch_ + width_.pad_before,
              count);
    }
    // Every stride-th column apart from the others: then the taps of neighbouring windows are neighbours.
    const int64_t stride = width_.stride, step = pitch_ / stride, length = height_.out * step;
    const float* lattice = scratch.padded;
    if (stride > 1) {
      take_apart(scratch.padded, stride, length, scratch.apart);
      lattice = scratch.apart;
    }
    const float* taps[kMostTaps];
    for (int64_t t = 0; t < width_.kernel; ++t) taps[t] = lattice + t % stride * length + t / stride;
    float* const sums = scratch.sums;
    combine(taps, width_.kernel, sums, length - (width_.kernel - 1) / stride);
    for (int64_t o = 0; o < height_.out; ++o) {
      const float* const from = sums + o * step;
      float* const to = y + o * width_.out;
      if (op_ == ProgramOp::maximum) {
        std::copy_n(from, width_.out, to);
      } else {
        for (int64_t i = 0; i < width_.out; ++i) to[i] = from[i] / (rows_[o] * columns_[i]);
      }
    }
  }

 private:
  // Elements of a window, with the padding that it covers or without.
  static float covered(const Axis& axis, int64_t o, bool with_padding) {
    const int64_t start = o * axis.stride - axis.pad_before;
    const int64_t first = with_padding ? start : std::max<int64_t>(0, start);
    const int64_t end = std::min(start + axis.kernel, axis.in + (with_padding ? axis.pad_after : 0));
    return static_cast<float>(end - first);
  }

  void combine(const float* rows, int64_t row, int64_t count, float* to, int64_t n) const {
    const float* each[kMostTaps];
    for (int64_t i = 0; i < count; ++i) each[i] = rows + i * row;
    combine(each, count, to, n);
  }

  // to <-- all of some rows, in one call.
  void combine(const float* const* rows, int64_t count, float* to, int64_t n) const {
    if (count < 1) {  // a window of padding alone
      std::fill_n(to, std::max<int64_t>(0, n), nothing_);
      return;
    }
    float* registers[kMostTaps + 1] = {to};
    ProgramInstruction code[kMostTaps];
    for (int64_t i = 0; i < count; ++i) registers[i + 1] = const_cast<float*>(rows[i]);
    if (count == 1) {
      code[0] = {ProgramOp::copy, 0, 1, 1, 0, 0};
    } else {
      for (int64_t i = 1; i < count; ++i)
        code[i - 1] = {op_, 0, i == 1 ? 1 : 0, static_cast<int32_t>(i + 1), 0, 0};
    }
    kernels_.steps.program({code, std::max<int64_t>(1, count - 1), registers, n, no_scalar});
  }

  static void take_apart(const float* from, int64_t stride, int64_t length, float* to) {
    if (stride == 2) {
      float* const odd = to + length;
      for (int64_t i = 0; i < length; ++i) {
        to[i] = from[2 * i];
        odd[i] = from[2 * i + 1];
      }
      return;
    }
    for (int64_t s = 0; s < stride; ++s) {
      for (int64_t i = 0; i < length; ++i) to[s * length + i] = from[i * stride + s];
    }
  }

  const KernelTable& kernels_;
  const Axis height_, width_;
  const ProgramOp op_;
  const float nothing_;
  const int64_t pitch_;
  std::vector<float> rows_, columns_;  // of each window, for averages
};

class PoolStep final : public Step {
 public:
  PoolStep(StepSource& source, bool is_max) : is_max_(is_max) {
    const std::vector<int32_t> fields = source.words.next_fields(kPoolPlanFields.size());
    const WirePoolPlan wire = pool_plan(fields.data());
    plan_ = wire.pool;
    if (!is_max && plan_.dtype != DType::f32) throw Refusal("plan.dtype: expected float32");
    int64_t inputs = wire.input_length, outputs = wire.output_length;
    blocked_channels_ = source.words.next_integer(0);
    if (blocked_channels_ > 0) {
      const Axis& depth = plan_.axis[0];
      if (plan_.dtype != DType::f32 || plan_.planes % blocked_channels_ != 0 || depth.in != 1 ||
          depth.out != 1 || !serves_blocked_windows(plan_.axis[1], plan_.axis[2]))
        throw Refusal("network: expected a pool over rows and columns of whole images");
      lanes_ = lanes_of(source.kernels);
      const auto length = [&](int64_t elements) {
        return blocked_length(plan_.planes / blocked_channels_, blocked_channels_,
                              plan_.planes == 0 ? 0 : elements / plan_.planes, lanes_);
      };
      inputs = length(inputs);
      outputs = length(outputs);
    }
    input_ = source.store.input(source.words, inputs, plan_.dtype);
    output_ = source.store.output(source.words, outputs, plan_.dtype);
  }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    const void* const x = store.resolve<char>(input_, memory);
    void* const y = store.resolve_output<char>(output_, memory);
    if (blocked_channels_ > 0) {
      BlockedWindows windows = {is_max_ ? BlockedWindowOp::maximum : BlockedWindowOp::mean,
                                plan_.axis[1],
                                plan_.axis[2],
                                lanes_,
                                plan_.planes / blocked_channels_,
                                ceil_div(blocked_channels_, lanes_),
                                static_cast<const float*>(x),
                                static_cast<float*>(y)};
      windows.count_padding = plan_.count_include_pad;
      run_blocked_windows(context, windows);
    } else if (RowPool::serves(plan_)) {
      run_planes(context, static_cast<const float*>(x), static_cast<float*>(y));
    } else if (is_max_) {
      max_pool(context, plan_, x, y, nullptr);
    } else {
      avg_pool(context, plan_, x, y);
    }
  }

 private:
  void run_planes(const Context& context, const float* x, float* y) const {
    const RowPool pool(*context.kernels, plan_, is_max_);
    const int64_t in = plan_.axis[1].in * plan_.axis[2].in, out = plan_.axis[1].out * plan_.axis[2].out;
    const int64_t each = std::clamp<int64_t>(kChunkElements / in, 1, std::max<int64_t>(1, plan_.planes));
    const double cost = kNsPerElement * static_cast<double>(plan_.planes) * static_cast<double>(in);
    parallel_for(ceil_div(plan_.planes, each), cost, [&](int64_t chunk) {
      if (context.is_cancelled()) return;
      ArenaFrame arena;
      const RowPool::Scratch scratch = pool.take(arena);
      for (int64_t p = chunk * each; p < std::min(plan_.planes, (chunk + 1) * each); ++p)
        pool.run(scratch, x + p * in, y + p * out);
    });
  }

  PoolPlan plan_;
  const bool is_max_;
  int64_t blocked_channels_;  // of an image whose channels lie in blocks; otherwise 0
  int64_t lanes_ = 1;
  Operand input_, output_;
};

}  // namespace

std::unique_ptr<Step> read_max_pool_step(StepSource& source) {
  return std::make_unique<PoolStep>(source, true);
}
std::unique_ptr<Step> read_average_pool_step(StepSource& source) {
  return std::make_unique<PoolStep>(source, false);
}

}  // namespace convmat
