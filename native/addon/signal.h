// Fourier transforms and convolution by them, as JavaScript calls them.
#pragma once

#include <napi.h>

#include "addon/door.h"

namespace convmat::addon {

// fft(re, im | null, outRe, outIm, scale)
void fft(const Napi::CallbackInfo& call);
// fftConvolve(signal, kernel, block, start, out)
void fft_convolve(const Napi::CallbackInfo& call);

}  // namespace convmat::addon
