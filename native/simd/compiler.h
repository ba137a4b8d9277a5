// What the vector layer and the kernels ask of the compiler.
#pragma once

// Before a loop whose trip count is a constant: unroll it wholly, so that arrays indexed by it live in
// registers. MSVC has no such wish and decides for itself.
#if defined(__clang__)
  #define CONVMAT_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
  #define CONVMAT_UNROLL _Pragma("GCC unroll 32")
#else
  #define CONVMAT_UNROLL
#endif

// Before a loop that compilers vectorise: a vector at a time is enough, since memory sets the pace.
#if defined(__clang__)
  #define CONVMAT_ONE_VECTOR _Pragma("clang loop interleave_count(1) unroll(disable)")
#else
  #define CONVMAT_ONE_VECTOR
#endif

// Of a pointer: what it points to is reached through no other.
#if defined(_MSC_VER) && !defined(__clang__)
  #define CONVMAT_RESTRICT __restrict
#else
  #define CONVMAT_RESTRICT __restrict__
#endif

#if defined(_MSC_VER) && !defined(__clang__)
  #define CONVMAT_INLINE __forceinline
  #define CONVMAT_NOINLINE __declspec(noinline)
#else
  #define CONVMAT_INLINE inline __attribute__((always_inline))
  #if defined(__clang__)
    #define CONVMAT_NOINLINE __attribute__((noinline))
  #else
    // GCC would copy a routine for every constant that it is called with.
    #define CONVMAT_NOINLINE __attribute__((noinline, noclone))
  #endif
#endif

// Reads the cache line that holds p ahead of its use; any address will do.
#if defined(__GNUC__)
  #define CONVMAT_PREFETCH(p) __builtin_prefetch(p)
  #define CONVMAT_PREFETCH_WRITE(p) __builtin_prefetch(p, 1)
#else
  #define CONVMAT_PREFETCH(p) static_cast<void>(p)
  #define CONVMAT_PREFETCH_WRITE(p) static_cast<void>(p)
#endif

// The same address, of which the compiler no longer knows where it came from.
template <typename T>
CONVMAT_INLINE const T* forget(const T* p) {
#if defined(__GNUC__)
  __asm__("" : "+r"(p));
#endif
  return p;
}
