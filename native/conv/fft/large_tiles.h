// Planes by tiles that are as large as it takes to have the whole kernel, and often the whole image, in one:
// larger than a core's caches (overlap-save). Channels are summed in the frequency domain.
#pragma once

#include <cstdint>
#include <memory>

#include "conv/fft/fft_correlation.h"

namespace convmat {

// Weights' spectra beyond this are not kept but made for so many written channels at a time, in every run.
constexpr int64_t kKeptSpectraBytes = int64_t{512} << 20;

// Of two axes; as FftCorrelation<T>::make.
template <typename T>
std::unique_ptr<const FftCorrelation<T>> make_large_tiles(const Context&, const Correlation&, int32_t variant,
                                                          const T* w, const T* bias, double lo, double hi,
                                                          int64_t kept_bytes = kKeptSpectraBytes);

}  // namespace convmat
