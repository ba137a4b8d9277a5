// Correlations with long kernels by Fourier tiles: kernel and input are both cut into parts that tiles of one
// size hold, and a tile of outputs is the sum over the kernel's parts of products of spectra (uniformly
// partitioned overlap-save). The sum runs point by point, so that its operands stay in cache however many
// parts there are.
//
// Strides and dilations are those of elements that are not read: outputs between those of a stride are
// computed and dropped, taps and inputs between those of a dilation are zeros.
#pragma once

#include <cstdint>
#include <memory>

#include "plan/plan.h"
#include "runtime/context.h"

namespace convmat {

// y[o] = sum over taps t of x[(o * stride + t * dilation - pad_before) / spread] * w[t], where what does not
// divide is zero. Counts and distances are in elements.
struct CorrelationAxis {
  int64_t in, spread, kernel, dilation, pad_before, pad_after, stride, out;

  // Elements from the first to the last of a kernel, and of the outputs that are computed.
  int64_t reach() const { return (kernel - 1) * dilation + 1; }
  int64_t dense_out() const { return out == 0 ? 0 : (out - 1) * stride + 1; }
};

// Elements from one image, group and channel to the next.
struct Distances {
  int64_t image, group, channel;
};

// For every image and group, y[written] = sum over channels `read`. Planes of x, y and w are contiguous.
struct Correlation {
  int64_t images, groups, read, written;  // channels of a group
  PaddingMode padding_mode;
  CorrelationAxis axis[3];
  Distances x, y;
  int64_t w_group, w_written, w_read;  // elements of w from one to the next
  bool flip;                           // whether the taps of w are in reverse
  // Whether the kernel's parts may depend on the number of outputs: where its spectra are not kept.
  bool fits_outputs;
};

Correlation forward_correlation(const ConvPlan& plan);
// Of zero padding, whatever the stride.
Correlation input_grad_correlation(const ConvPlan& plan);
// dw is what is written, channels are the images and the batch is what is summed over.
Correlation weight_grad_correlation(const ConvPlan& plan);

// Weights' spectra, ready to run.
template <typename T>
class PartitionedFft {
 public:
  static std::unique_ptr<const PartitionedFft> make(const Context&, const Correlation&, int32_t variant,
                                                    const T* w, const T* bias, double lo, double hi);
  virtual ~PartitionedFft() = default;
  virtual size_t bytes() const = 0;
  // A correlation that differs from the one it was made for in images, in and out.
  virtual void run(const Context&, const Correlation&, const T* x, T* y) const = 0;
};

}  // namespace convmat
