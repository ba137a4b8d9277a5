// Batch normalisation of [batch, channels, places], by channels, in double. f32 and f64.
#pragma once

#include <cstdint>

#include "plan/plan.h"
#include "runtime/context.h"

namespace convmat {

struct ChannelShape {
  DType dtype;
  int64_t batch, channels, places;
};

// Of each channel the mean, and the sum of squared distances from it.
void batch_moments(const Context&, const ChannelShape&, const void* x, double* mean, double* squares);

// y <-- x * factor + offset of its channel, and a ReLU after it when it is rectified. y may be x.
void channel_affine(const Context&, const ChannelShape&, const void* x, const double* factor,
                    const double* offset, bool is_rectified, void* y);

// The adjoint of normalisation: see ChannelGrad, whose numbers these are. dx may be
// g.
struct BatchNormGrad {
  ChannelShape shape;
  const void* g;
  const void* x;
  const double* mean;
  const double* scale;
  const double* factor;
  const double* offset;
  bool is_rectified, is_of_batch;
  void* dx;
  double* sums;
  double* products;
};
void batch_norm_grad(const Context&, const BatchNormGrad&);

}  // namespace convmat
