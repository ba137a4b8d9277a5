// What kernels over channels of a batch take: batch normalisation.
#pragma once

#include <cstdint>

namespace convmat {

// Some neighbouring channels of [batch, channels, places]: of each sample `channels` planes of `places`
// elements, one after the other; samples are `step` elements apart. They are gone through in this order, so
// that memory is read in runs that hardware foresees.
struct ChannelGroup {
  int64_t batch, channels, places, step;
};

// Of each channel, which is not empty, the mean, and the sum of the squared distances from that; in double.
template <typename T>
using ChannelMomentsFn = void(const ChannelGroup& group, const T* x, double* mean, double* squares);

// y <-- x * factor + offset of its channel in double, each operation rounded; a ReLU after it where it is
// rectified. y may be x.
template <typename T>
struct ChannelAffine {
  ChannelGroup group;
  const T* x;
  const double* factor;
  const double* offset;
  bool is_rectified;
  T* y;
};
template <typename T>
using ChannelAffineFn = void(const ChannelAffine<T>& f);

// The adjoint of each channel's normalisation y = (x - mean) * scale * weight + bias:
//   sums <-- sum of g,   products <-- sum of g * (x - mean) * scale
//   dx <-- factor * (g - sums / n - (x - mean) * scale * products / n), factor being scale * weight and n the
//   number of elements; dx <-- factor * g where mean and scale are not of the batch.
// Where y was rectified, g counts where x * factor + offset, rounded to T, is not 0. dx may be g.
template <typename T>
struct ChannelGrad {
  ChannelGroup group;
  const T* g;
  const T* x;
  const double* mean;
  const double* scale;
  const double* factor;
  const double* offset;
  bool is_rectified, is_of_batch;
  T* dx;
  double* sums;
  double* products;
};
template <typename T>
using ChannelGradFn = void(const ChannelGrad<T>& f);

}  // namespace convmat
