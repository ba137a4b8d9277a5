// Compiled once per instruction set: CONVMAT_ISA and CONVMAT_VEC_HEADER name it.
#include "vec_probe.h"

#include CONVMAT_VEC_HEADER

namespace convmat::CONVMAT_ISA {
namespace {

template <typename T>
constexpr auto pick_probe() {
  using Probe = decltype(test::VecProbe<T>::pick);
  if constexpr (has_pick && sizeof(T) == 4) {
    return Probe([](const T* from, const int* index, unsigned bits, T* to) {
      store(to, pick(load(from), load(from + Vec<T>::lanes), load(index), mask_of<T>(bits)));
    });
  } else {
    return Probe(nullptr);
  }
}

template <typename T>
constexpr test::VecProbe<T> vec_probe() {
  return {
      Vec<T>::lanes,
      [](const T* from, int count, T* to) { store(to, load(from, first_lanes<T>(count))); },
      [](T* to, int count, const T* from) { store(to, first_lanes<T>(count), load(from)); },
      [](const T* from, unsigned bits, T* to) { store(to, load(from, mask_of<T>(bits))); },
      [](const T* from, unsigned bits, T* to) { store(to, load_even(from, mask_of<T>(bits))); },
      [](const T* from, double* to) { store(to, load_widened(from)); },
      [](T* to, const double* from) { store_narrowed(to, load(from)); },
      pick_probe<T>(),
      [](const T* from, const int* indices, T* to) { store(to, gather(from, indices)); },
      [](const T* from, T* to) {
        constexpr int lanes = Vec<T>::lanes;
        Vec<T> rows[lanes];
        for (int i = 0; i < lanes; ++i) rows[i] = load(from + i * lanes);
        transpose(rows);
        for (int i = 0; i < lanes; ++i) store(to + i * lanes, rows[i]);
      },
      [](T a, T* to) { store(to, broadcast(a)); },
      [](T* to) { store(to, zero<T>()); },
      [](const T* a, const T* b, T* to) { store(to, add(load(a), load(b))); },
      [](const T* a, const T* b, T* to) { store(to, sub(load(a), load(b))); },
      [](const T* a, const T* b, T* to) { store(to, mul(load(a), load(b))); },
      [](const T* a, const T* b, T* to) { store(to, min(load(a), load(b))); },
      [](const T* a, const T* b, T* to) { store(to, max(load(a), load(b))); },
      [](const T* a, const T* b, const T* c, T* to) { store(to, fma(load(a), load(b), load(c))); },
      [](const T* a, const T* b, const T* c, T* to) { store(to, fnma(load(a), load(b), load(c))); },
      [](const T* a) { return sum(load(a)); },
  };
}

constexpr test::IntVecProbe int_vec_probe() {
  return {
      Vec<int>::lanes,
      [](const int* from, int count, int* to) { store(to, load(from, first_lanes<int>(count))); },
      [](int* to, int count, const int* from) { store(to, first_lanes<int>(count), load(from)); },
      [](int a, int* to) { store(to, broadcast(a)); },
      [](int* to) { store(to, zero<int>()); },
      [](const int* a, const int* b, int* to) { store(to, add(load(a), load(b))); },
      [](const int* a, const int* b, const int* c, int* to) {
        store(to, dot_pairs(load(a), load(b), load(c)));
      },
      [](const int* rows, const double* multipliers, int zero_point, int* words) {
        Vec<int> four[4];
        for (int k = 0; k < 4; ++k) four[k] = load(rows + k * Vec<int>::lanes);
        store(words, scale_to_bytes(four, multipliers, zero_point));
      },
      [](const float* rows, int zero_point, int* words) {
        Vec<float> four[4];
        for (int k = 0; k < 4; ++k) four[k] = load(rows + k * Vec<int>::lanes);
        store(words, round_to_bytes(four, zero_point));
      },
      [](const int* a, const float* b, const float* c, float* to) {
        store(to, fma_once(to_float(load(a)), load(b), load(c)));
      },
      [](uint8_t* to, const int* bytes, int first, int count) { store_bytes(to, load(bytes), first, count); },
  };
}

}  // namespace

extern const test::VecProbes vec_probes;
const test::VecProbes vec_probes = {vec_probe<float>(), vec_probe<double>(), int_vec_probe()};

}  // namespace convmat::CONVMAT_ISA
