// Fourier transforms and convolution by them, as JavaScript calls them.
#pragma once

#include "door/call.h"

namespace convmat::door {

// fft(re, im | null, outRe, outIm, scale)
void fft(const Call& call);
// fftConvolve(signal, kernel, block, start, out)
void fft_convolve(const Call& call);
// fftConvolveComplex(signalRe, signalIm, kernelRe, kernelIm, block, start, outRe, outIm)
void fft_convolve_complex(const Call& call);

}  // namespace convmat::door
