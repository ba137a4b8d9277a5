// Convolution and its adjoint as products with their sparse Toeplitz matrix, of which only the kernel's
// nonzero taps are kept. Every geometry, f32 and f64.
#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "conv/algorithm.h"
#include "conv/toeplitz/box.h"
#include "plan/dispatch.h"
#include "runtime/aligned.h"
#include "runtime/thread_pool.h"

namespace convmat {
namespace {

// A chunk this long costs nothing to claim; no fewer than a few per thread end together.
constexpr double kChunkNs = 20e3;

// Of an input gradient: the whole, or only what elements give as the padding that repeats them.
enum class Share { whole, margins };

template <typename T>
class ToeplitzRunner final : public ConvRunner {
 public:
  ToeplitzRunner(const Context& context, const ConvPlan& plan, Share share, const T* weight, const T* bias,
                 T lo, T hi)
      : kernels_(context.kernels->of<T>()), share_(share), lo_(lo), hi_(hi) {
    const bool is_forward = plan.op == ConvOp::forward;
    const int64_t taps = plan.axis[0].kernel * plan.axis[1].kernel * plan.axis[2].kernel;
    const int64_t in = plan.in_channels / plan.groups, out = plan.out_channels / plan.groups;
    layout_ = is_forward ? ToeplitzWeights{plan.groups, out, in, out * in * taps, in * taps, taps}
                         : ToeplitzWeights{plan.groups, in, out, out * in * taps, taps, in * taps};
    if (bias != nullptr) {
      bias_ = AlignedArray<T>(plan.groups * layout_.written);
      std::memcpy(bias_.data(), bias, sizeof(T) * static_cast<size_t>(bias_.size()));
    }
    const int64_t kernel[3] = {plan.axis[0].kernel, plan.axis[1].kernel, plan.axis[2].kernel};
    const auto pack = [&](const std::vector<int64_t>(&sets)[3], bool is_even) {
      taps_.emplace_back(layout_, weight, sets, kernel, is_even, kernels_.toeplitz_blocking);
    };
    if (is_forward) {
      std::vector<int64_t> sets[3];
      for (int a = 0; a < 3; ++a) sets[a] = forward_axis(plan.axis[a], PaddingMode::zeros).taps;
      pack(sets, plan.axis[1].stride == plan.axis[1].dilation);
      return;
    }
    const int64_t residues[3] = {plan.axis[0].stride, plan.axis[1].stride, plan.axis[2].stride};
    for (int64_t d = 0; d < residues[0]; ++d) {
      for (int64_t h = 0; h < residues[1]; ++h) {
        for (int64_t w = 0; w < residues[2]; ++w) {
          const std::vector<int64_t> sets[3] = {adjoint_taps(plan.axis[0], d), adjoint_taps(plan.axis[1], h),
                                                adjoint_taps(plan.axis[2], w)};
          pack(sets, is_even_adjoint(plan.axis[1], sets[1]));
        }
      }
    }
  }

  size_t bytes() const override {
    size_t sum = sizeof(*this) + bias_.bytes();
    for (const ToeplitzTaps<T>& taps : taps_) sum += taps.bytes();
    return sum;
  }

  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    const T* const x = static_cast<const T*>(input);
    T* const y = static_cast<T*>(output);
    if (plan.op == ConvOp::forward) {
      ToeplitzProblem<T> problem = problem_of(plan, x, taps_.front());
      for (int a = 0; a < 3; ++a) problem.axes[a] = forward_axis(plan.axis[a], plan.padding_mode);
      run_box(context, plan, problem, x, y);
      return;
    }
    if (share_ == Share::whole) {
      const int64_t begin[3] = {0, 0, 0}, end[3] = {plan.axis[0].in, plan.axis[1].in, plan.axis[2].in};
      run_adjoint(context, plan, begin, end, false, x, y);
    }
    if (!folds_padding(plan)) return;
    add_margins(context, plan, x, y);
    clamp(plan, y);
  }

 private:
  // What each element gives as padding, added to what it gives as itself. The margins of the padded box:
  // those of an axis run along the whole of later axes, and along the inside of earlier ones.
  void add_margins(const Context& context, const ConvPlan& plan, const T* x, T* y) const {
    int64_t begin[3], end[3];
    for (int a = 0; a < 3; ++a) {
      begin[a] = -plan.axis[a].pad_before;
      end[a] = plan.axis[a].in + plan.axis[a].pad_after;
    }
    for (int a = 0; a < 3; ++a) {
      const int64_t whole_end = end[a], inside_end = plan.axis[a].in;
      end[a] = 0;
      run_adjoint(context, plan, begin, end, true, x, y);
      begin[a] = inside_end;
      end[a] = whole_end;
      run_adjoint(context, plan, begin, end, true, x, y);
      begin[a] = 0;
      end[a] = inside_end;
    }
  }

  // Neighbouring taps lead to neighbouring outputs.
  static bool is_even_adjoint(const Axis& axis, const std::vector<int64_t>& taps) {
    for (size_t i = 1; i < taps.size(); ++i) {
      if ((taps[i - 1] - taps[i]) * axis.dilation != axis.stride) return false;
    }
    return true;
  }

  static bool folds_padding(const ConvPlan& plan) {
    if (plan.padding_mode == PaddingMode::zeros) return false;
    return std::any_of(plan.axis, plan.axis + 3,
                       [](const Axis& axis) { return axis.pad_before + axis.pad_after > 0; });
  }

  ToeplitzProblem<T> problem_of(const ConvPlan& plan, const T* x, const ToeplitzTaps<T>& taps) const {
    const bool is_forward = plan.op == ConvOp::forward;
    ToeplitzProblem<T> problem{};
    problem.kernels = &kernels_;
    problem.taps = &taps;
    problem.read = layout_.read;
    problem.written = layout_.written;
    int64_t source = plan.batch * plan.groups * layout_.read;
    for (int a = 0; a < 3; ++a) {
      problem.out[a] = is_forward ? plan.axis[a].out : plan.axis[a].in;
      source *= is_forward ? plan.axis[a].in : plan.axis[a].out;
    }
    problem.source_end = x + source;
    problem.bias = bias_.data();
    problem.lo = lo_;
    problem.hi = hi_;
    problem.padding_mode = plan.padding_mode;
    return problem;
  }

  // The elements from `begin` to `end` of the input, each residue of the strides by its own taps.
  void run_adjoint(const Context& context, const ConvPlan& plan, const int64_t (&begin)[3],
                   const int64_t (&end)[3], bool is_padding, const T* x, T* y) const {
    constexpr T kNone = std::numeric_limits<T>::infinity();
    const auto steps = [&](int a) { return std::min(plan.axis[a].stride, end[a] - begin[a]); };
    for (int64_t d = 0; d < steps(0); ++d) {
      for (int64_t h = 0; h < steps(1); ++h) {
        for (int64_t w = 0; w < steps(2); ++w) {
          const int64_t first[3] = {begin[0] + d, begin[1] + h, begin[2] + w};
          int64_t index = 0;
          for (int a = 0; a < 3; ++a) {
            index = index * plan.axis[a].stride + adjoint_residue(plan.axis[a], first[a]);
          }
          ToeplitzProblem<T> problem = problem_of(plan, x, taps_[static_cast<size_t>(index)]);
          for (int a = 0; a < 3; ++a) problem.axes[a] = adjoint_axis(plan.axis[a], first[a], end[a]);
          if (folds_padding(plan)) {
            problem.is_padding = is_padding;
            problem.lo = -kNone;
            problem.hi = kNone;
            if (is_padding) problem.bias = nullptr;
          }
          run_box(context, plan, problem, x, y);
        }
      }
    }
  }

  void run_box(const Context& context, const ConvPlan& plan, const ToeplitzProblem<T>& problem, const T* x,
               T* y) const {
    ArenaFrame frame;
    const ToeplitzBox<T> box(problem, frame);
    const int64_t images = plan.batch * plan.groups, bands = box.bands();
    if (images == 0 || bands == 0) return;
    int64_t x_size = layout_.read, y_size = layout_.written;
    for (int a = 0; a < 3; ++a) {
      x_size *= problem.axes[a].source;
      y_size *= problem.out[a];
    }
    const auto run_band = [&](int64_t image, int64_t band) {
      box.run(band, image % plan.groups, x + image * x_size, y + image * y_size);
    };
    const double cost = box.cost_ns() / static_cast<double>(plan.groups) * static_cast<double>(images);
    // Bands of padding add to rows that others add to: an image's bands stay together.
    const int64_t units = problem.is_padding ? images : images * bands;
    const int64_t chunks = std::clamp<int64_t>(static_cast<int64_t>(cost / kChunkNs), 1, units);
    parallel_for(chunks, cost, [&](int64_t chunk) {
      for (int64_t unit = chunk * units / chunks; unit < (chunk + 1) * units / chunks; ++unit) {
        if (context.is_cancelled()) return;
        if (problem.is_padding) {
          for (int64_t band = 0; band < bands; ++band) run_band(unit, band);
        } else {
          run_band(unit / bands, unit % bands);
        }
      }
    });
  }

  void clamp(const ConvPlan& plan, T* y) const {
    if (lo_ == -std::numeric_limits<T>::infinity() && hi_ == std::numeric_limits<T>::infinity()) return;
    const int64_t size = plan.batch * plan.in_channels * plan.axis[0].in * plan.axis[1].in * plan.axis[2].in;
    // A NaN compares false and stays.
    for (int64_t i = 0; i < size; ++i) y[i] = y[i] < lo_ ? lo_ : y[i] > hi_ ? hi_ : y[i];
  }

  const Kernels<T>& kernels_;
  const Share share_;
  ToeplitzWeights layout_;
  std::vector<ToeplitzTaps<T>> taps_;  // one; backward one per residue of the strides, [depth][height][width]
  AlignedArray<T> bias_;
  T lo_, hi_;
};

template <Share share>
std::shared_ptr<const ConvRunner> pack(const Context& context, const ConvPlan& plan, const void* weight,
                                       const void* bias, double lo, double hi) {
  return dispatch_float(plan.dtype, [&](auto zero) -> std::shared_ptr<const ConvRunner> {
    using T = decltype(zero);
    return std::make_shared<ToeplitzRunner<T>>(context, plan, share, static_cast<const T*>(weight),
                                               static_cast<const T*>(bias), static_cast<T>(lo),
                                               static_cast<T>(hi));
  });
}

}  // namespace

const ConvAlgorithm toeplitz_algorithm = {[](const ConvPlan&) { return true; }, "any geometry",
                                          pack<Share::whole>};

std::shared_ptr<const ConvRunner> pack_padding_margins(const Context& context, const ConvPlan& plan,
                                                       const void* weight, double lo, double hi) {
  return pack<Share::margins>(context, plan, weight, nullptr, lo, hi);
}

}  // namespace convmat
