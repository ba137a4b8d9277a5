// The weight gradient: output channels on the lanes, the image broadcast from where it lies, as in the direct
// convolution with images and gradients exchanged. Nothing is packed but the output's gradient.
#pragma once

#include "table/weight_grad.h"

namespace convmat::CONVMAT_ISA {
namespace {

// Weights at a time: with 4 vectors of channels 24 accumulators, 4 gradients and a broadcast fit 32
// registers, with 2 as many fit 16; and their pointers fit x86's general registers.
constexpr int kWeightGradRows = 6;

// ROWS weights by NV vectors of channels from `first` on. As in gemm_ukr, every index into `acc` must be a
// constant.
template <typename T, int NV, int ROWS>
CONVMAT_NOINLINE void weight_grad_ukr(const WeightGradTile<T>& tile, int64_t first, int64_t weight) {
  using V = Vec<T>;
  constexpr int lanes = V::lanes;
  V acc[ROWS][NV];
  const T* x[ROWS];
  CONVMAT_UNROLL for (int i = 0; i < ROWS; ++i) {
    x[i] = tile.x[weight + i];
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[i][v] = zero<T>();
  }
  const T* dy_row = tile.dy + first * lanes;
  for (int64_t row = 0; row < tile.rows; ++row) {
    const T* dy = dy_row;
    for (int64_t j = 0; j < tile.columns; ++j) {
      V grad[NV];
      CONVMAT_UNROLL for (int v = 0; v < NV; ++v) grad[v] = load(dy + v * lanes);
      CONVMAT_UNROLL for (int i = 0; i < ROWS; ++i) {
        const V pixel = broadcast(x[i][j]);
        CONVMAT_UNROLL for (int v = 0; v < NV; ++v) acc[i][v] = fma(grad[v], pixel, acc[i][v]);
      }
      dy += tile.dy_pixel;
    }
    dy_row += tile.columns * tile.dy_pixel;
    CONVMAT_UNROLL for (int i = 0; i < ROWS; ++i) x[i] += tile.x_row;
  }
  CONVMAT_UNROLL for (int i = 0; i < ROWS; ++i) {
    T* const sums = tile.sums + first * tile.sums_vector + tile.places[weight + i];
    CONVMAT_UNROLL for (int v = 0; v < NV; ++v) {
      T* const sum = sums + v * tile.sums_vector;
      store(sum, add(load(sum), acc[i][v]));
    }
  }
}

// All weights by NV vectors from `first` on, then the vectors that are left by half as many.
template <typename T, int NV>
void weight_grad_vectors(const WeightGradTile<T>& tile, int64_t first, int64_t vectors) {
  for (; vectors >= NV; first += NV, vectors -= NV) {
    int64_t i = 0;
    for (; i + kWeightGradRows <= tile.weights; i += kWeightGradRows) {
      weight_grad_ukr<T, NV, kWeightGradRows>(tile, first, i);
    }
    for (; i + 3 <= tile.weights; i += 3) weight_grad_ukr<T, NV, 3>(tile, first, i);
    for (; i < tile.weights; ++i) weight_grad_ukr<T, NV, 1>(tile, first, i);
  }
  if constexpr (NV > 1) weight_grad_vectors<T, NV / 2>(tile, first, vectors);
}

template <typename T>
void weight_grad(int vectors, const WeightGradTile<T>& tile) {
  weight_grad_vectors<T, kDirectNv>(tile, 0, vectors);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
