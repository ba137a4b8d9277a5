// The kernels of one element type, for algorithms that are templates over it.
#pragma once

#include "table/table.h"

namespace convmat {

template <typename T>
struct TypedKernels {
  GemmBlocking blocking;
  GemmTileFn<T>* gemm;
  Im2colPanelFn<T>* im2col;
  TransposeFn<T>* transpose;
  FftTwistFn<T>* fft_twist;
  FftProductFn<T>* fft_product;
  FftFinishFn<T>* fft_finish;
  DirectBlocking direct_blocking;
  DirectSumsFn<T>* direct_sums;
  DirectStoreFn<T>* direct_store;
  WeightGradFn<T>* weight_grad;
  FrameRowsFn<T>* frame_rows;
  DepthwisePlanesFn<T>* depthwise;
  ToeplitzBlocking toeplitz_blocking;
  ToeplitzRowsFn<T>* toeplitz_rows;
  ToeplitzChannelsFn<T>* toeplitz_channels;
  ToeplitzPlaneFn<T>* toeplitz_plane;
  WinogradInputFn<T>* winograd_input;
  WinogradWeightsFn<T>* winograd_weights;
  WinogradProductFn<T>* winograd_product;
  WinogradOutputFn<T>* winograd_output;
  UnlaneRowsFn<T>* unlane_rows;
  CsrMatvecFn<T>* csr_matvec;
  CsrRmatvecFn<T>* csr_rmatvec;
  CsrMatmatFn<T>* csr_matmat;
  CsrWithinFn* csr_within;
};

template <typename T>
TypedKernels<T> typed_kernels(const KernelTable& table);
template <>
inline TypedKernels<float> typed_kernels<float>(const KernelTable& t) {
  return {t.f32_blocking,         t.f32_gemm,
          t.f32_im2col,           t.f32_transpose,
          t.f32_fft_twist,        t.f32_fft_product,
          t.f32_fft_finish,       t.f32_direct_blocking,
          t.f32_direct_sums,      t.f32_direct_store,
          t.f32_weight_grad,      t.f32_frame_rows,
          t.f32_depthwise,        t.f32_toeplitz_blocking,
          t.f32_toeplitz_rows,    t.f32_toeplitz_channels,
          t.f32_toeplitz_plane,   t.f32_winograd_input,
          t.f32_winograd_weights, t.f32_winograd_product,
          t.f32_winograd_output,  t.f32_unlane_rows,
          t.f32_csr_matvec,       t.f32_csr_rmatvec,
          t.f32_csr_matmat,       t.csr_within};
}
template <>
inline TypedKernels<double> typed_kernels<double>(const KernelTable& t) {
  return {t.f64_blocking,         t.f64_gemm,
          t.f64_im2col,           t.f64_transpose,
          t.f64_fft_twist,        t.f64_fft_product,
          t.f64_fft_finish,       t.f64_direct_blocking,
          t.f64_direct_sums,      t.f64_direct_store,
          t.f64_weight_grad,      t.f64_frame_rows,
          t.f64_depthwise,        t.f64_toeplitz_blocking,
          t.f64_toeplitz_rows,    t.f64_toeplitz_channels,
          t.f64_toeplitz_plane,   t.f64_winograd_input,
          t.f64_winograd_weights, t.f64_winograd_product,
          t.f64_winograd_output,  t.f64_unlane_rows,
          t.f64_csr_matvec,       t.f64_csr_rmatvec,
          t.f64_csr_matmat,       t.csr_within};
}

}  // namespace convmat
