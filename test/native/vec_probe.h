// The vector layer's operations as plain functions on arrays, one table per instruction set: vec_probe.cc is
// compiled once for each, with its flags and without the standard library, and vec_test.cc tests them with
// gtest's baseline code.
#pragma once

#include <cstdint>

namespace convmat::test {

template <typename T>
struct VecProbe {
  int lanes;
  void (*load_partial)(const T* from, int count, T* to);   // to[lanes]
  void (*store_partial)(T* to, int count, const T* from);  // from[lanes]
  void (*load_masked)(const T* from, unsigned bits, T* to);
  void (*load_even)(const T* from, unsigned bits, T* to);
  void (*load_widened)(const T* from, double* to);  // of a vector of doubles
  void (*store_narrowed)(T* to, const double* from);
  // From [2 * lanes]; null where the layer has none.
  void (*pick)(const T* from, const int* index, unsigned bits, T* to);
  void (*gather)(const T* from, const int* indices, T* to);  // of `lanes` indices
  void (*transpose)(const T* from, T* to);                   // lanes x lanes, row-major
  void (*broadcast)(T a, T* to);
  void (*zero)(T* to);
  // Lane by lane on arrays of `lanes` elements.
  void (*add)(const T* a, const T* b, T* to);
  void (*sub)(const T* a, const T* b, T* to);
  void (*mul)(const T* a, const T* b, T* to);
  void (*min)(const T* a, const T* b, T* to);
  void (*max)(const T* a, const T* b, T* to);
  void (*fma)(const T* a, const T* b, const T* c, T* to);
  void (*fnma)(const T* a, const T* b, const T* c, T* to);
  T (*sum)(const T* a);
};

struct IntVecProbe {
  int lanes;
  void (*load_partial)(const int* from, int count, int* to);
  void (*store_partial)(int* to, int count, const int* from);
  void (*broadcast)(int a, int* to);
  void (*zero)(int* to);
  void (*add)(const int* a, const int* b, int* to);
  void (*dot_pairs)(const int* a, const int* b, const int* c, int* to);
  // words[lanes] <-- bytes of rows[4][lanes]
  void (*scale_to_bytes)(const int* rows, const double* multipliers, int zero_point, int* words);
  // words[lanes] <-- bytes of rows[4][lanes]
  void (*round_to_bytes)(const float* rows, int zero_point, int* words);
  void (*fma_once)(const int* a, const float* b, const float* c, float* to);
  void (*store_bytes)(uint8_t* to, const int* bytes, int first, int count);
};

struct VecProbes {
  VecProbe<float> f32;
  VecProbe<double> f64;
  IntVecProbe i32;
};

}  // namespace convmat::test
