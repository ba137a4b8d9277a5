// What kernels over a channel of a batch take: batch normalisation.
#pragma once

#include <cstdint>

namespace convmat {

// A channel of [batch, channels, places]: `count` planes of `places` elements each, `step` elements apart.
struct ChannelPlanes {
  int64_t count, step, places;
};

// The mean of a channel that is not empty, and the sum of its squared distances from that; in double.
template <typename T>
using ChannelMomentsFn = void(const ChannelPlanes& planes, const T* x, double* mean, double* squares);

// y <-- x * factor + offset in double, each operation rounded; a ReLU after it where it is rectified. y may
// be x.
template <typename T>
struct ChannelAffine {
  ChannelPlanes planes;
  const T* x;
  double factor, offset;
  bool is_rectified;
  T* y;
};
template <typename T>
using ChannelAffineFn = void(const ChannelAffine<T>& f);

// The adjoint of a channel's normalisation y = (x - mean) * scale * weight + bias:
//   sum <-- sum of g,   product <-- sum of g * (x - mean) * scale
//   dx <-- factor * (g - sum / n - (x - mean) * scale * product / n), factor being scale * weight and n the
//   number of elements; dx <-- factor * g where mean and scale are not of the batch.
// Where y was rectified, g counts where x * factor + offset, rounded to T, is not 0. dx may be g.
template <typename T>
struct ChannelGrad {
  ChannelPlanes planes;
  const T* g;
  const T* x;
  double mean, scale, factor, offset;
  bool is_rectified, is_of_batch;
  T* dx;
};
template <typename T>
using ChannelGradFn = void(const ChannelGrad<T>& f, double* sum, double* product);

}  // namespace convmat
