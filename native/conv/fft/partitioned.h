// Kernel and input are both cut into parts that tiles of one size hold, and a tile of outputs is the sum over
// the kernel's parts of products of spectra (uniformly partitioned overlap-save). The sum runs point by
// point, so that its operands stay in cache however many parts there are.
#pragma once

#include <memory>

#include "conv/fft/fft_correlation.h"

namespace convmat {

// As FftCorrelation<T>::make.
template <typename T>
std::unique_ptr<const FftCorrelation<T>> make_partitioned(const Context&, const Correlation&, int32_t variant,
                                                          const T* w, const T* bias, double lo, double hi);

}  // namespace convmat
