// A convolution, or a gradient of one, as correlations of planes: what is summed by Fourier transforms,
// however its input and its kernel are cut.
//
// Strides and dilations are those of elements that are not read: outputs between those of a stride are
// computed and dropped, taps and inputs between those of a dilation are zeros.
#pragma once

#include <cstdint>

#include "plan/plan.h"

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

  int64_t taps() const { return axis[0].kernel * axis[1].kernel * axis[2].kernel; }
  int64_t outputs() const { return axis[0].out * axis[1].out * axis[2].out; }
  // Where plane i, [group][written][read], of the weights begins.
  int64_t plane_of_w(int64_t i) const {
    return i / read / written * w_group + i / read % written * w_written + i % read * w_read;
  }
};

Correlation forward_correlation(const ConvPlan& plan);
// Of zero padding, whatever the stride.
Correlation input_grad_correlation(const ConvPlan& plan);
// dw is what is written, channels are the images and the batch is what is summed over.
Correlation weight_grad_correlation(const ConvPlan& plan);

// The element that a position of an axis reads; -1 for zeros, as beyond the padding, which only outputs that
// are dropped read.
int64_t source_of(const Correlation& c, const CorrelationAxis& axis, int64_t position);
// to[j] <-- what position `first` + j of the rows reads of `line`, a row of the input.
template <typename T>
void gather_row(const Correlation& c, const T* line, int64_t first, int64_t count, T* to);

}  // namespace convmat
