// Fourier transforms of any length, f32 and f64, and convolution by them. Real and imaginary parts are in
// arrays of their own, so an inverse transform is a forward one with the parts exchanged:
//   fft->run(kernels, {im, re}, {out_im, out_re}, 1 / n)
//
// A length n = n1 * n2 of small factors is done as two rounds of column transforms in strips of 64 bytes or
// more that fit the cache, with twiddles and a transpose between (Bailey 1990, "FFTs in external or
// hierarchical memory"); other lengths are convolutions with a chirp (Bluestein 1970).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "table/table.h"

namespace convmat {

struct Context;

// Rows of complex numbers, `pitch` elements from row to row.
template <typename T>
struct Rows {
  T *re, *im;
  int64_t pitch;
};
template <typename T>
using ConstRows = Rows<const T>;

// e^(-2 pi i j / n), to less than a unit of double.
struct Root {
  double re, im;
};
Root root_of_unity(int64_t j, int64_t n);

// Transforms of n points down the columns of a strip, a column per lane. Immutable.
template <typename T>
class ColumnFft {
 public:
  // Columns of a strip come in multiples of this many, which is a multiple of every instruction set's lanes.
  static constexpr int64_t kColumns = 64 / static_cast<int64_t>(sizeof(T));

  // n: a product of 2, 3, 5 and 7.
  explicit ColumnFft(int64_t n);

  int64_t size() const { return n_; }
  // Distance between two planes of a strip, its real and its imaginary part for instance: not a multiple of
  // what the sets of a cache span, or rows at distances of a power of two would evict one another.
  int64_t plane_size(int64_t columns) const { return n_ * columns + 17 * kColumns; }
  // Elements of scratch for that many columns.
  int64_t scratch_size(int64_t columns) const { return 4 * plane_size(columns); }

  // out[k][c] <-- scale * sum over j of in[j][c] e^(-2 pi i j k / n). `out` may be `in`; else they do not
  // overlap.
  void run(const KernelTable&, ConstRows<T> in, Rows<T> out, int64_t columns, T scale, T* scratch) const;

 private:
  struct Pass {
    int32_t radix;
    int64_t rest, done;
    int64_t twiddles, roots;  // where they begin in factors_
  };

  int64_t n_;
  std::vector<Pass> passes_;
  std::vector<T> factors_;
};

template <typename T>
struct Points {
  T *re, *im;
};

// A transform of n points, ready to run any number of times, also concurrently.
template <typename T>
class Fft {
 public:
  // Shared by all who ask for this length; a bounded number of them is kept.
  static std::shared_ptr<const Fft> of(int64_t n);

  virtual ~Fft() = default;
  // out[k] <-- scale * sum over j of in[j] e^(-2 pi i j k / n). `out` overlaps no input.
  virtual void run(const KernelTable&, Points<const T> in, Points<T> out, T scale) const = 0;

  int64_t size() const { return n_; }
  virtual size_t bytes() const = 0;

 protected:
  explicit Fft(int64_t n) : n_(n) {}

 private:
  const int64_t n_;
};

// The same of real data, all n points of the result: in half the time where n is even.
template <typename T>
class RealFft {
 public:
  static std::shared_ptr<const RealFft> of(int64_t n);

  void run(const KernelTable&, const T* in, Points<T> out, T scale) const;

  int64_t size() const { return n_; }
  size_t bytes() const { return 2 * turn_re_.size() * sizeof(T); }

 private:
  explicit RealFft(int64_t n);

  const int64_t n_;
  std::shared_ptr<const Fft<T>> inner_;  // of n / 2 points where n is even
  std::vector<T> turn_re_, turn_im_;     // e^(-2 pi i k / n), k < n / 2
};

// out[i] <-- sum over j of signal[j] kernel[start + i - j]: a stretch of the linear convolution, by
// overlap-save with transforms of `block` points, block >= kernel_size. Two blocks of real data make one
// complex transform.
template <typename T>
void fft_convolve(const Context&, const T* signal, int64_t signal_size, const T* kernel, int64_t kernel_size,
                  int64_t block, int64_t start, T* out, int64_t out_size);
// The same of complex operands, a block a transform.
template <typename T>
void fft_convolve_complex(const Context&, Points<const T> signal, int64_t signal_size, Points<const T> kernel,
                          int64_t kernel_size, int64_t block, int64_t start, Points<T> out, int64_t out_size);

}  // namespace convmat
