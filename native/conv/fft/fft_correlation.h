// Correlations with long kernels by Fourier transforms, with the weights' spectra prepared.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "conv/fft/correlation.h"
#include "runtime/aligned.h"
#include "runtime/context.h"
#include "runtime/held.h"

namespace convmat {

// Values that transforms would spread over their tiles, or that overflow in them.
template <typename T>
bool is_apart(T value) {
  return !(std::fabs(value) <= static_cast<T>(sizeof(T) == 4 ? 0x1p40 : 0x1p450));
}

// Weights' spectra, ready to run. What is apart, in weights and inputs, is summed directly: only the outputs
// that read it.
template <typename T>
class FftCorrelation {
 public:
  // variant: rows << 16 | columns of the tiles. Weights belong to it or not as context.ownership says.
  static std::unique_ptr<const FftCorrelation> make(const Context&, const Correlation&, int32_t variant,
                                                    const T* w, const T* bias, double lo, double hi);
  virtual ~FftCorrelation() = default;
  FftCorrelation(const FftCorrelation&) = delete;
  FftCorrelation& operator=(const FftCorrelation&) = delete;

  virtual size_t bytes() const;
  // A correlation that differs from the one it was made for in images, in and out.
  void run(const Context&, const Correlation&, const T* x, T* y) const;

 protected:
  FftCorrelation(const Context&, const Correlation&, const T* w, const T* bias, double lo, double hi);

  const T* weights() const { return w_.data(); }

 private:
  // An element of x or w that is apart: its plane, where it lies there, and what it is.
  struct Element {
    int64_t channel;
    int64_t at[3];
    T value;
  };
  using Elements = std::vector<Element>;

  // y <-- the sums, plus bias, clamped, of weights with zeros for what is apart; bias may be null. False when
  // a sum is not finite.
  virtual bool sum(const Context&, const Correlation&, const T* x, const T* bias, T lo, T hi, T* y) const = 0;

  void collect_apart(const Correlation& c, int64_t plane, const T* w);
  static AlignedArray<T> without_apart(const Correlation& c, const T* x, std::vector<Elements>& apart);
  static void add_input(const Correlation& c, const Element& e, const T* w, T* y);
  static void add_tap(const Correlation& c, const Element& e, const T* x, T* y);

  AlignedArray<T> bias_;
  const T lo_, hi_;
  const Held<T> w_;
  std::vector<Elements> w_apart_;  // by written channel
};

}  // namespace convmat
