// Fourier transforms and convolution by them, as JavaScript calls them.
#pragma once

#include <node_api.h>

#include "addon/door.h"

namespace convmat::addon {

// fft(re, im | null, outRe, outIm, scale)
napi_value fft(const Call& call);
// fftConvolve(signal, kernel, block, start, out)
napi_value fft_convolve(const Call& call);

}  // namespace convmat::addon
