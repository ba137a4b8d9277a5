// Every kernel, for the body of isa/*.cc.
#pragma once

#include "kernels/csr-inl.h"
#include "kernels/depthwise-inl.h"
#include "kernels/direct-inl.h"
#include "kernels/fft-inl.h"
#include "kernels/fixed-inl.h"
#include "kernels/frame-inl.h"
#include "kernels/gemm-inl.h"
#include "kernels/im2col-inl.h"
#include "kernels/integer-inl.h"
#include "kernels/pair_gemm-inl.h"
#include "kernels/program-inl.h"
#include "kernels/rows-inl.h"
#include "kernels/toeplitz-inl.h"
#include "kernels/transpose-inl.h"
#include "kernels/weight_grad-inl.h"
#include "kernels/winograd-inl.h"
