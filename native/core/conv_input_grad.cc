// The gradient of a convolution's input, which is the transposed convolution: a GEMM over dy per sub-lattice
// of the stride, so that no zero is ever inserted or multiplied.
//
// Input position i belongs to the sub-lattice r = (i + pad) mod stride. Tap t carries y[j] to i = j * stride
// + t * dilation - pad, so only the taps with t * dilation = r (mod stride) reach it: with g = gcd(stride,
// dilation) these are t = t0 + u * stride / g. Along the sub-lattice, i = i0 + q * stride, tap u reads j = q
// + (i0 + pad - t0 * dilation) / stride - u * dilation / g: a convolution of stride 1 over dy.
#include <cstring>
#include <limits>
#include <numeric>

#include "core/aligned.h"
#include "core/conv_algorithm.h"
#include "core/lowered_product.h"
#include "core/partition.h"
#include "core/typed_kernels.h"

namespace convmat {
namespace {

// The taps of one axis that reach sub-lattice `residue`: first, first + step, ...
struct AxisTaps {
  AxisTaps(int64_t kernel, int64_t stride, int64_t dilation, int64_t residue)
      : step(stride / std::gcd(stride, dilation)) {
    while (first < std::min(kernel, step) && first * dilation % stride != residue) ++first;
    count = first < std::min(kernel, step) ? (kernel - first + step - 1) / step : 0;
  }
  int64_t first = 0, step, count;
};

// Where one axis of a sub-lattice lies in the input, and what it reads of dy.
struct AxisLattice {
  AxisLattice(const Axis& a, int64_t residue)
      : taps(a.kernel, a.stride, a.dilation, residue), stride(a.stride) {
    first = ((residue - a.pad_before) % a.stride + a.stride) % a.stride;
    lowered.in = a.out;
    lowered.out = a.in <= first ? 0 : (a.in - first + a.stride - 1) / a.stride;
    lowered.taps = taps.count;
    lowered.step = 1;
    lowered.tap_step = -(a.dilation / std::gcd(a.stride, a.dilation));
    lowered.first = (first + a.pad_before - taps.first * a.dilation) / a.stride;
  }
  AxisTaps taps;
  int64_t stride, first;
  LoweredAxis lowered;
};

template <typename T>
T clamped(T value, T lo, T hi) {
  const T raised = lo > value ? lo : value;
  return hi < raised ? hi : raised;
}

template <typename T>
class Im2colInputGrad final : public ConvRunner {
 public:
  Im2colInputGrad(const Context& context, const ConvPlan& plan, const T* weight, const T* bias, T lo, T hi)
      : kernels_(typed_kernels<T>(*context.kernels)),
        group_in_(plan.in_channels / plan.groups),
        group_out_(plan.out_channels / plan.groups),
        taps_(plan.axis[0].kernel * plan.axis[1].kernel * plan.axis[2].kernel),
        weights_(plan.out_channels * group_in_ * taps_),
        bias_(bias == nullptr ? 0 : plan.in_channels),
        has_bias_(bias != nullptr),
        lo_(lo),
        hi_(hi) {
    if (has_bias_) std::memcpy(bias_.data(), bias, sizeof(T) * static_cast<size_t>(plan.in_channels));
    const RowPanels panels(group_in_, kernels_.blocking.mr);
    T* to = weights_.data();
    for_each_lattice(plan, [&](const AxisLattice(&lattice)[3], int64_t) {
      for (int64_t g = 0; g < plan.groups; ++g) {
        for (int64_t p = 0; p < panels.count; ++p) {
          const T* from = weight + (g * group_out_ * group_in_ + panels.first(p)) * taps_;
          to = pack_panel(plan, lattice, panels.height_of(p), from, to);
        }
      }
    });
  }

  size_t bytes() const override { return sizeof(*this) + weights_.bytes() + bias_.bytes(); }

  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    const T* const dy = static_cast<const T*>(input);
    T* const dx = static_cast<T*>(output);
    if (plan.padding_mode == PaddingMode::zeros) {
      run_zero_padded(context, plan, dy, dx, has_bias_ ? bias_.data() : nullptr, lo_, hi_);
    } else {
      run_mapped(context, plan, dy, dx);
    }
  }

 private:
  // visit(axes, offset of the sub-lattice's weights); sub-lattices in a fixed order, empty ones included.
  template <typename Visit>
  void for_each_lattice(const ConvPlan& plan, Visit visit) const {
    int64_t offset = 0;
    for (int64_t r0 = 0; r0 < plan.axis[0].stride; ++r0) {
      for (int64_t r1 = 0; r1 < plan.axis[1].stride; ++r1) {
        for (int64_t r2 = 0; r2 < plan.axis[2].stride; ++r2) {
          const AxisLattice lattice[3] = {{plan.axis[0], r0}, {plan.axis[1], r1}, {plan.axis[2], r2}};
          visit(lattice, offset);
          offset += plan.out_channels * group_in_ * lattice[0].taps.count * lattice[1].taps.count *
                    lattice[2].taps.count;
        }
      }
    }
  }

  // to[o][tap of the sub-lattice][height] <-- from[o][height][tap]
  T* pack_panel(const ConvPlan& plan, const AxisLattice (&lattice)[3], int height, const T* from,
                T* to) const {
    const int64_t lattice_taps = lattice[0].taps.count * lattice[1].taps.count * lattice[2].taps.count;
    for (int64_t o = 0; o < group_out_; ++o) {
      if (lattice_taps == taps_) {
        kernels_.transpose(height, taps_, from + o * group_in_ * taps_, taps_, to, height);
        to += taps_ * height;
        continue;
      }
      for (int64_t u0 = 0; u0 < lattice[0].taps.count; ++u0) {
        for (int64_t u1 = 0; u1 < lattice[1].taps.count; ++u1) {
          for (int64_t u2 = 0; u2 < lattice[2].taps.count; ++u2) {
            const int64_t u[3] = {u0, u1, u2};
            int64_t tap = 0;
            for (int k = 0; k < 3; ++k) {
              tap = tap * plan.axis[k].kernel + lattice[k].taps.first + u[k] * lattice[k].taps.step;
            }
            for (int c = 0; c < height; ++c) *to++ = from[(o * group_in_ + c) * taps_ + tap];
          }
        }
      }
    }
    return to;
  }

  void run_zero_padded(const Context& context, const ConvPlan& plan, const T* dy, T* dx, const T* bias, T lo,
                       T hi) const {
    const bool whole = plan.axis[0].stride == 1 && plan.axis[1].stride == 1 && plan.axis[2].stride == 1;
    const int64_t image_size = plan.axis[0].in * plan.axis[1].in * plan.axis[2].in;
    const int64_t dy_size = plan.axis[0].out * plan.axis[1].out * plan.axis[2].out;

    for_each_lattice(plan, [&](const AxisLattice(&lattice)[3], int64_t offset) {
      LoweredProduct<T> product{kernels_,
                                {{lattice[0].lowered, lattice[1].lowered, lattice[2].lowered},
                                 PaddingMode::zeros,
                                 group_out_,
                                 dy_size},
                                RowPanels(group_in_, kernels_.blocking.mr),
                                nullptr,
                                nullptr,
                                lo,
                                hi};
      if (product.lowering.outputs() == 0) return;
      const int64_t group_weights = group_in_ * product.lowering.rows();
      const Partition partition(product, plan.batch * plan.groups);

      parallel_for(partition.count(), partition.cost_ns(), [&](int64_t index) {
        const Partition::Task task = partition[index];
        const int64_t group = task.image % plan.groups;
        LoweredProduct<T> share = product;
        share.weights = weights_.data() + offset + group * group_weights;
        share.bias = bias == nullptr ? nullptr : bias + group * group_in_;
        const T* const from = dy + task.image * group_out_ * dy_size;
        T* const to = dx + task.image * group_in_ * image_size;
        const int64_t first = product.panels.first(task.panel);
        if (whole) {
          share.run(from, to + first * image_size + task.column, image_size, task.panel, task.panel_end,
                    task.column, task.column_end, context.cancelled);
          return;
        }
        const int64_t rows = std::min(group_in_, product.panels.first(task.panel_end)) - first;
        const int64_t columns = task.column_end - task.column;
        ArenaFrame frame;
        T* const values = frame.take<T>(rows * columns);
        share.run(from, values, columns, task.panel, task.panel_end, task.column, task.column_end,
                  context.cancelled);
        for (int64_t row = 0; row < rows; ++row) {
          scatter(plan, lattice, values + row * columns, task.column, columns,
                  to + (first + row) * image_size);
        }
      });
    });
  }

  // Writes outputs [column, column + count) of a sub-lattice to their places in one channel of dx.
  static void scatter(const ConvPlan& plan, const AxisLattice (&lattice)[3], const T* values, int64_t column,
                      int64_t count, T* dx) {
    const int64_t width = lattice[2].lowered.out, height = lattice[1].lowered.out, step = lattice[2].stride;
    int64_t w = column % width, h = column / width % height, d = column / width / height;
    while (count > 0) {
      const int64_t run = std::min(count, width - w);
      T* const row = dx +
                     ((lattice[0].first + d * lattice[0].stride) * plan.axis[1].in + lattice[1].first +
                      h * lattice[1].stride) *
                         plan.axis[2].in +
                     lattice[2].first + w * step;
      for (int64_t i = 0; i < run; ++i) row[i * step] = values[i];
      values += run;
      count -= run;
      w = 0;
      if (++h == height) {
        h = 0;
        ++d;
      }
    }
  }

  // Padding that repeats elements: the gradient of the padded image, one sample at a time, then every padded
  // position is added to the element that it repeats.
  void run_mapped(const Context& context, const ConvPlan& plan, const T* dy, T* dx) const {
    constexpr T inf = std::numeric_limits<T>::infinity();
    ConvPlan padded = plan;
    padded.batch = 1;
    padded.padding_mode = PaddingMode::zeros;
    int64_t image_size = 1, padded_size = 1, dy_size = 1;
    for (int k = 0; k < 3; ++k) {
      Axis& axis = padded.axis[k];
      axis.in += axis.pad_before + axis.pad_after;
      axis.pad_before = axis.pad_after = 0;
      image_size *= plan.axis[k].in;
      padded_size *= axis.in;
      dy_size *= axis.out;
    }
    AlignedArray<T> padded_grad(plan.in_channels * padded_size);
    for (int64_t n = 0; n < plan.batch; ++n) {
      run_zero_padded(context, padded, dy + n * plan.out_channels * dy_size, padded_grad.data(), nullptr,
                      -inf, inf);
      T* const image = dx + n * plan.in_channels * image_size;
      const double cost_ns = static_cast<double>(padded_grad.size());
      parallel_for(plan.in_channels, cost_ns, [&](int64_t c) {
        T* const plane = image + c * image_size;
        add_padded_plane(plan, padded_grad.data() + c * padded_size, plane);
        const T bias = has_bias_ ? bias_.data()[c] : T{0};
        for (int64_t i = 0; i < image_size; ++i) plane[i] = clamped(plane[i] + bias, lo_, hi_);
      });
    }
  }

  static void add_padded_plane(const ConvPlan& plan, const T* padded, T* plane) {
    const Axis(&axis)[3] = plan.axis;
    const auto source = [&](int k, int64_t position) {
      return padded_position(plan.padding_mode, position - axis[k].pad_before, axis[k].in);
    };
    const auto padded_extent = [&](int k) { return axis[k].pad_before + axis[k].in + axis[k].pad_after; };
    std::memset(plane, 0, sizeof(T) * static_cast<size_t>(axis[0].in * axis[1].in * axis[2].in));
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

  TypedKernels<T> kernels_;
  int64_t group_in_, group_out_, taps_;
  AlignedArray<T> weights_;  // [sub-lattice][group][panel][o][tap of the sub-lattice][height]
  AlignedArray<T> bias_;
  bool has_bias_;
  T lo_, hi_;
};

}  // namespace

std::shared_ptr<const ConvRunner> pack_im2col_input_grad(const Context& context, const ConvPlan& plan,
                                                         const void* weight, const void* bias, double lo,
                                                         double hi) {
  if (plan.dtype == DType::f64) {
    return std::make_shared<Im2colInputGrad<double>>(context, plan, static_cast<const double*>(weight),
                                                     static_cast<const double*>(bias), lo, hi);
  }
  return std::make_shared<Im2colInputGrad<float>>(context, plan, static_cast<const float*>(weight),
                                                  static_cast<const float*>(bias), static_cast<float>(lo),
                                                  static_cast<float>(hi));
}

}  // namespace convmat
