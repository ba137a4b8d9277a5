// The gradient of a convolution's input, which is the transposed convolution, as forward convolutions over
// dy: one of stride 1 per sub-lattice of the stride, by any algorithm that serves it, so that no zero is ever
// inserted or multiplied.
//
// Input position i belongs to the sub-lattice r = (i + pad) mod stride. Tap t carries y[j] to i = j * stride
// + t * dilation - pad, so only the taps with t * dilation = r (mod stride) reach it: with g = gcd(stride,
// dilation) these are t = t0 + u * stride / g. Along the sub-lattice, i = i0 + q * stride, tap u reads j = q
// + (i0 + pad - t0 * dilation) / stride - u * dilation / g: with the taps in reverse, a convolution of
// stride 1 and dilation / g over dy, which is padded, or cropped where the padding comes out negative.
#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "conv/algorithm.h"
#include "geometry/lowering.h"
#include "plan/arith.h"
#include "plan/dispatch.h"
#include "runtime/aligned.h"
#include "runtime/arena.h"
#include "runtime/caches.h"
#include "runtime/thread_pool.h"

namespace convmat {
namespace {

// The taps of one axis that reach sub-lattice `residue`: first, first + step, ...
struct AxisTaps {
  AxisTaps(int64_t kernel, int64_t stride, int64_t dilation, int64_t residue)
      : step(stride / std::gcd(stride, dilation)) {
    while (first < std::min(kernel, step) && first * dilation % stride != residue) ++first;
    count = first < std::min(kernel, step) ? ceil_div(kernel - first, step) : 0;
  }
  int64_t first = 0, step, count;
};

// One axis of a sub-lattice: where it lies in the input, and the convolution over dy that gives it.
struct AxisLattice {
  AxisLattice(const Axis& a, int64_t residue)
      : taps(a.kernel, a.stride, a.dilation, residue),
        first(((residue - a.pad_before) % a.stride + a.stride) % a.stride) {
    const int64_t count = a.in <= first ? 0 : ceil_div(a.in - first, a.stride);
    const int64_t dilation = a.dilation / std::gcd(a.stride, a.dilation);
    const int64_t span = (taps.count - 1) * dilation;
    const int64_t pad = span - (first + a.pad_before - taps.first * a.dilation) / a.stride;
    over_dy = {a.out, taps.count, 1, dilation, pad, count + span - pad - a.out, count};
  }
  AxisTaps taps;
  int64_t first;
  Axis over_dy;
};

struct Lattice {
  Lattice(const ConvPlan& plan, int64_t r0, int64_t r1, int64_t r2)
      : axis{{plan.axis[0], r0}, {plan.axis[1], r1}, {plan.axis[2], r2}} {}

  int64_t taps() const { return axis[0].taps.count * axis[1].taps.count * axis[2].taps.count; }
  AxisLattice axis[3];
};

// The plan whose gradient is computed first where padding repeats elements: that of the image which was
// padded before.
ConvPlan padded_before(const ConvPlan& plan) {
  ConvPlan padded = plan;
  for (Axis& axis : padded.axis) {
    axis.in += axis.pad_before + axis.pad_after;
    axis.pad_before = axis.pad_after = 0;
  }
  return padded;
}

// Whether what elements give as padding that repeats them is computed by itself, and added to what they give
// as themselves: that takes less time than to go through the gradient of the padded image once more.
bool has_margins_apart(const ConvPlan& plan) {
  if (plan.padding_mode == PaddingMode::zeros) return false;
  constexpr double kNsPerProduct = 0.2, kNsPerPadded = 3;
  double image = 1, padded = 1, taps = 1;
  for (const Axis& axis : plan.axis) {
    // Otherwise the image lies partly beyond all that a convolution over dy gives.
    const int64_t reach = (axis.kernel - 1) * axis.dilation;
    if (std::min(axis.pad_before, axis.pad_after) < 0) return false;
    if (std::max(axis.pad_before, axis.pad_after) > reach) return false;
    image *= static_cast<double>(axis.in);
    padded *= static_cast<double>(axis.pad_before + axis.in + axis.pad_after);
    taps *= static_cast<double>(ceil_div(axis.kernel, axis.stride));
  }
  const double products = (padded - image) * taps * static_cast<double>(plan.out_channels / plan.groups);
  return products * kNsPerProduct < padded * kNsPerPadded;
}

ConvPlan plan_over_dy(const ConvPlan& plan, const Lattice& lattice) {
  ConvPlan over_dy = plan;
  over_dy.op = ConvOp::forward;
  over_dy.padding_mode = PaddingMode::zeros;
  over_dy.in_channels = plan.out_channels;
  over_dy.out_channels = plan.in_channels;
  for (int k = 0; k < 3; ++k) over_dy.axis[k] = lattice.axis[k].over_dy;
  return over_dy;
}

// weights[c][o][tap of the sub-lattice] <-- weight[o][c][tap], within each group, taps in reverse.
template <typename T>
AlignedArray<T> weights_over_dy(const ConvPlan& plan, const Lattice& lattice, const T* weight) {
  const int64_t group_in = plan.in_channels / plan.groups, group_out = plan.out_channels / plan.groups;
  const int64_t all = plan.axis[0].kernel * plan.axis[1].kernel * plan.axis[2].kernel, own = lattice.taps();
  std::vector<int64_t> taps;
  const auto tap = [&](int k, int64_t u) {
    const AxisTaps& t = lattice.axis[k].taps;
    return t.first + (t.count - 1 - u) * t.step;
  };
  for (int64_t u0 = 0; u0 < lattice.axis[0].taps.count; ++u0) {
    for (int64_t u1 = 0; u1 < lattice.axis[1].taps.count; ++u1) {
      for (int64_t u2 = 0; u2 < lattice.axis[2].taps.count; ++u2) {
        taps.push_back((tap(0, u0) * plan.axis[1].kernel + tap(1, u1)) * plan.axis[2].kernel + tap(2, u2));
      }
    }
  }
  AlignedArray<T> weights(plan.in_channels * group_out * own);
  // A few channels at a time: what is read of one output channel's weights is contiguous, as are their lines.
  constexpr int64_t kBlock = 16;
  for (int64_t g = 0; g < plan.groups; ++g) {
    for (int64_t block = 0; block < group_in; block += kBlock) {
      for (int64_t o = 0; o < group_out; ++o) {
        const T* const from = weight + (g * group_out + o) * group_in * all;
        for (int64_t c = block; c < std::min(block + kBlock, group_in); ++c) {
          T* const to = weights.data() + ((g * group_in + c) * group_out + o) * own;
          for (int64_t u = 0; u < own; ++u) to[u] = from[c * all + taps[static_cast<size_t>(u)]];
        }
      }
    }
  }
  return weights;
}

// Of the sub-lattices' results of a strided gradient: they are interleaved while they are in L2.
constexpr int64_t kInterleavedBytes = kL2Bytes;

template <typename T>
T clamped(T value, T lo, T hi) {
  const T raised = lo > value ? lo : value;
  return hi < raised ? hi : raised;
}

template <typename T>
class InputGrad final : public ConvRunner {
 public:
  InputGrad(const Context& context, const ConvPlan& plan, PackConvFn* pack, WeightOverDy order,
            const T* weight, const T* bias, double lo, double hi)
      : fused_(plan.padding_mode == PaddingMode::zeros),
        bias_(plan.in_channels),
        lo_(static_cast<T>(lo)),
        hi_(static_cast<T>(hi)) {
    for (int64_t c = 0; c < plan.in_channels; ++c) bias_.data()[c] = bias == nullptr ? T{0} : bias[c];
    constexpr double inf = std::numeric_limits<double>::infinity();
    const int64_t taps = plan.axis[0].kernel * plan.axis[1].kernel * plan.axis[2].kernel;
    const T* const end = weight + plan.out_channels * (plan.in_channels / plan.groups) * taps;
    // Margins pass zero weights by, which a NaN must not be.
    if (has_margins_apart(plan) && std::find(weight, end, T{0}) == end)
      margins_ = pack_padding_margins(context, plan, weight, lo, hi);
    const bool has_bias = fused_ || margins_ != nullptr;
    for (int64_t r0 = 0; r0 < plan.axis[0].stride; ++r0) {
      for (int64_t r1 = 0; r1 < plan.axis[1].stride; ++r1) {
        for (int64_t r2 = 0; r2 < plan.axis[2].stride; ++r2) {
          const Lattice lattice(plan, r0, r1, r2);
          parts_.emplace_back();
          if (lattice.taps() == 0) continue;
          const auto pack_part = [&](const T* weights, Ownership ownership) {
            return pack({context.kernels, context.cancelled, ownership}, plan_over_dy(plan, lattice), weights,
                        has_bias ? bias : nullptr, fused_ ? lo : -inf, fused_ ? hi : inf);
          };
          if (order == WeightOverDy::own) {
            // A gradient that is mapped runs its parts once for each image.
            parts_.back() = pack_part(weight, fused_ ? context.ownership : Ownership::owned);
          } else {
            const AlignedArray<T> weights = weights_over_dy(plan, lattice, weight);
            parts_.back() = pack_part(weights.data(), Ownership::owned);
          }
        }
      }
    }
  }

  size_t bytes() const override {
    size_t bytes = sizeof(*this) + bias_.bytes() + (margins_ == nullptr ? 0 : margins_->bytes());
    for (const auto& part : parts_) bytes += part == nullptr ? 0 : part->bytes();
    return bytes;
  }

  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    const T* const dy = static_cast<const T*>(input);
    T* const dx = static_cast<T*>(output);
    if (fused_) {
      run_zero_padded(context, plan, dy, dx);
    } else if (margins_ != nullptr) {
      run_zero_padded(context, plan, dy, dx);
      margins_->run(context, plan, dy, dx);
    } else {
      run_mapped(context, plan, dy, dx);
    }
  }

 private:
  void run_zero_padded(const Context& context, const ConvPlan& plan, const T* dy, T* dx) const {
    if (parts_.size() == 1) {
      const Lattice whole(plan, 0, 0, 0);
      run_part(context, plan_over_dy(plan, whole), 0, dy, dx);
      return;
    }
    for (int64_t r0 = 0; r0 < plan.axis[0].stride; ++r0) {
      for (int64_t r1 = 0; r1 < plan.axis[1].stride; ++r1) run_interleaved(context, plan, r0, r1, dy, dx);
    }
  }

  // The convolution of one sub-lattice, which has this index, into contiguous memory.
  void run_part(const Context& context, const ConvPlan& over_dy, int64_t index, const T* dy, T* to) const {
    const int64_t plane = over_dy.axis[0].out * over_dy.axis[1].out * over_dy.axis[2].out;
    if (plane == 0) return;
    if (const ConvRunner* const part = parts_[static_cast<size_t>(index)].get()) {
      part->run(context, over_dy, dy, to);
      return;
    }
    for (int64_t i = 0; i < over_dy.batch * over_dy.out_channels; ++i) {
      std::fill_n(to + i * plane, plane, untouched(i % over_dy.out_channels));
    }
  }

  // Columns first, first + stride, ... of a row of dx, as rows of their own.
  struct Phase {
    int64_t first, columns;
    T* values;
  };

  // The rows of dx that residues r0 and r1 of depth and height give: some images, or some rows of an image,
  // at a time.
  void run_interleaved(const Context& context, const ConvPlan& plan, int64_t r0, int64_t r1, const T* dy,
                       T* dx) const {
    const Axis(&a)[3] = plan.axis;
    const Lattice first(plan, r0, r1, 0);
    const int64_t depths = first.axis[0].over_dy.out, heights = first.axis[1].over_dy.out;
    const int64_t row_bytes = plan.in_channels * depths * a[2].in * static_cast<int64_t>(sizeof(T));
    if (row_bytes * heights * plan.batch == 0) return;
    const int64_t rows = std::clamp<int64_t>(kInterleavedBytes / row_bytes, 1, heights);
    const int64_t images = std::clamp<int64_t>(kInterleavedBytes / (row_bytes * heights), 1, plan.batch);
    const int64_t dy_size = plan.out_channels * a[0].out * a[1].out * a[2].out;
    const int64_t plane = a[0].in * a[1].in * a[2].in;

    ArenaFrame arena;
    Phase* const phases = arena.take<Phase>(a[2].stride);
    for (int64_t r2 = 0; r2 < a[2].stride; ++r2) {
      const AxisLattice columns(a[2], r2);
      phases[r2] = {columns.first, columns.over_dy.out,
                    arena.take<T>(images * plan.in_channels * depths * rows * columns.over_dy.out)};
    }
    for (int64_t n = 0; n < plan.batch; n += images) {
      for (int64_t row = 0; row < heights; row += rows) {
        const int64_t count = std::min(rows, heights - row);
        const int64_t planes = std::min(images, plan.batch - n) * plan.in_channels;
        for (int64_t r2 = 0; r2 < a[2].stride; ++r2) {
          ConvPlan over_dy = plan_over_dy(plan, Lattice(plan, r0, r1, r2));
          over_dy.batch = planes / plan.in_channels;
          Axis& height = over_dy.axis[1];
          height.pad_before -= row;
          height.pad_after -= heights - row - count;
          height.out = count;
          run_part(context, over_dy, (r0 * a[1].stride + r1) * a[2].stride + r2, dy + n * dy_size,
                   phases[r2].values);
        }
        parallel_for(planes, static_cast<double>(planes * depths * count * a[2].in), [&](int64_t i) {
          for (int64_t d = 0; d < depths; ++d) {
            for (int64_t h = 0; h < count; ++h) {
              const int64_t z = first.axis[0].first + d * a[0].stride;
              const int64_t y = first.axis[1].first + (row + h) * a[1].stride;
              T* const to = dx + (n * plan.in_channels + i) * plane + (z * a[1].in + y) * a[2].in;
              interleave(phases, a[2].stride, (i * depths + d) * count + h, to);
            }
          }
        });
      }
    }
  }

  static void interleave(const Phase* phases, int64_t stride, int64_t row, T* to) {
    if (stride == 2) {
      const Phase &even = phases[phases[0].first], &odd = phases[1 - phases[0].first];
      const T *const left = even.values + row * even.columns, *const right = odd.values + row * odd.columns;
      for (int64_t i = 0; i < odd.columns; ++i) {
        to[2 * i] = left[i];
        to[2 * i + 1] = right[i];
      }
      if (even.columns > odd.columns) to[2 * odd.columns] = left[odd.columns];
      return;
    }
    for (int64_t p = 0; p < stride; ++p) {
      const T* const from = phases[p].values + row * phases[p].columns;
      for (int64_t i = 0; i < phases[p].columns; ++i) to[phases[p].first + i * stride] = from[i];
    }
  }

  // Padding that repeats elements: the gradient of the padded image, one sample at a time, then every padded
  // position is added to the element that it repeats.
  void run_mapped(const Context& context, const ConvPlan& plan, const T* dy, T* dx) const {
    ConvPlan padded = padded_before(plan);
    padded.batch = 1;
    int64_t image_size = 1, padded_size = 1, dy_size = 1;
    for (int k = 0; k < 3; ++k) {
      image_size *= plan.axis[k].in;
      padded_size *= padded.axis[k].in;
      dy_size *= plan.axis[k].out;
    }
    ArenaFrame arena;
    T* const padded_grad = arena.take<T>(plan.in_channels * padded_size);
    for (int64_t n = 0; n < plan.batch; ++n) {
      run_zero_padded(context, padded, dy + n * plan.out_channels * dy_size, padded_grad);
      T* const image = dx + n * plan.in_channels * image_size;
      const double cost_ns = static_cast<double>(plan.in_channels * padded_size);
      parallel_for(plan.in_channels, cost_ns, [&](int64_t c) {
        T* const plane = image + c * image_size;
        add_padded_plane(plan, padded_grad + c * padded_size, plane);
        for (int64_t i = 0; i < image_size; ++i) plane[i] = finished(plane[i], c);
      });
    }
  }

  // Of an element that no tap reaches, as its part would write it.
  T untouched(int64_t channel) const {
    if (fused_) return finished(T{0}, channel);
    return margins_ != nullptr ? bias_.data()[channel] : T{0};
  }
  T finished(T value, int64_t channel) const { return clamped(value + bias_.data()[channel], lo_, hi_); }

  static void add_padded_plane(const ConvPlan& plan, const T* padded, T* plane) {
    const Axis(&axis)[3] = plan.axis;
    const auto source = [&](int k, int64_t position) {
      return padded_position(plan.padding_mode, position - axis[k].pad_before, axis[k].in);
    };
    const auto padded_extent = [&](int k) { return axis[k].pad_before + axis[k].in + axis[k].pad_after; };
    std::fill_n(plane, axis[0].in * axis[1].in * axis[2].in, T{0});
    for (int64_t d = 0; d < padded_extent(0); ++d) {
      for (int64_t h = 0; h < padded_extent(1); ++h) {
        T* const row = plane + (source(0, d) * axis[1].in + source(1, h)) * axis[2].in;
        for (int64_t w = 0; w < axis[2].pad_before; ++w) row[source(2, w)] += padded[w];
        padded += axis[2].pad_before;
        for (int64_t w = 0; w < axis[2].in; ++w) row[w] += padded[w];
        padded += axis[2].in;
        for (int64_t w = 0; w < axis[2].pad_after; ++w) {
          row[source(2, axis[2].pad_before + axis[2].in + w)] += padded[w];
        }
        padded += axis[2].pad_after;
      }
    }
  }

  const bool fused_;  // with bias and bounds: the parts write the result itself
  std::vector<std::shared_ptr<const ConvRunner>> parts_;  // one per sub-lattice, null where no tap reaches it
  std::shared_ptr<const ConvRunner> margins_;             // null where padding is not apart
  AlignedArray<T> bias_;
  const T lo_, hi_;
};

template <typename T>
std::shared_ptr<const ConvRunner> make(const Context& context, const ConvPlan& plan, PackConvFn* pack,
                                       WeightOverDy order, const void* weight, const void* bias, double lo,
                                       double hi) {
  return std::make_shared<InputGrad<T>>(context, plan, pack, order, static_cast<const T*>(weight),
                                        static_cast<const T*>(bias), lo, hi);
}

}  // namespace

bool serves_computed(const ConvPlan& plan, bool (*serves)(const ConvPlan& forward)) {
  if (plan.op == ConvOp::forward) return serves(plan);
  const bool has_strides =
      std::any_of(plan.axis, plan.axis + 3, [](const Axis& axis) { return axis.stride != 1; });
  if (has_strides) return false;
  const ConvPlan zero_padded = plan.padding_mode == PaddingMode::zeros ? plan : padded_before(plan);
  return serves(plan_over_dy(zero_padded, Lattice(zero_padded, 0, 0, 0)));
}

std::shared_ptr<const ConvRunner> pack_input_grad(const Context& context, const ConvPlan& plan,
                                                  PackConvFn* forward, WeightOverDy order, const void* weight,
                                                  const void* bias, double lo, double hi) {
  return dispatch_float(plan.dtype, [&](auto zero) {
    return make<decltype(zero)>(context, plan, forward, order, weight, bias, lo, hi);
  });
}

}  // namespace convmat
