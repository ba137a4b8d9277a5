// Fourier transforms of any length, there and back, and convolution by them.
#include <cmath>
#include <limits>

#include "fuzz.h"
#include "ops/fft.h"
#include "runtime/context.h"

namespace convmat::test {
namespace {

template <typename T>
Operand<T> noise(int64_t size, int64_t offset, uint32_t seed) {
  Operand<T> operand(size, offset);
  std::mt19937 random(seed);
  for (int64_t i = 0; i < size; ++i) operand[i] = static_cast<T>(random() / 4294967296.0 - 0.5);
  return operand;
}

// One output of the transform by its definition.
template <typename T>
std::pair<long double, long double> by_definition(const Operand<T>& re, const Operand<T>& im, int64_t k) {
  const int64_t n = re.size();
  long double sum_re = 0, sum_im = 0;
  for (int64_t j = 0; j < n; ++j) {
    const long double angle = -2 * 3.14159265358979323846264L * static_cast<long double>(j * k % n) / n;
    sum_re += re[j] * std::cos(angle) - im[j] * std::sin(angle);
    sum_im += re[j] * std::sin(angle) + im[j] * std::cos(angle);
  }
  return {sum_re, sum_im};
}

// As test/native/fft_test.cc: grows as log n for a result of size sqrt(n), through three transforms at most.
template <typename T>
double tolerance(int64_t n) {
  const auto size = static_cast<double>(n);
  return 2 * std::numeric_limits<T>::epsilon() * std::sqrt(size) * (1 + std::log2(size));
}

template <typename T>
void check_transform(FuzzedDataProvider& in) {
  const int64_t n = draw_size(in, 1, in.ConsumeBool() ? 5000 : 200), offset = draw(in, 0, 3);
  const bool real = in.ConsumeBool();
  const auto seed = in.ConsumeIntegral<uint16_t>();
  const Operand<T> re = noise<T>(n, offset, seed),
                   im = real ? Operand<T>(n, offset) : noise<T>(n, offset, seed + 1);
  const int64_t looked_at[] = {0, draw(in, 0, n - 1), n - 1};
  for (const KernelTable* kernels : available_kernels()) {
    Operand<T> out_re(n, offset), out_im(n, offset), back_re(n, 0), back_im(n, 0);
    if (real) {
      RealFft<T>::of(n)->run(*kernels, re.data(), {out_re.data(), out_im.data()}, T{1});
    } else {
      Fft<T>::of(n)->run(*kernels, {re.data(), im.data()}, {out_re.data(), out_im.data()}, T{1});
    }
    const std::string name = std::string(kernels->name) + ", " + std::to_string(n) + " points";
    for (const int64_t k : looked_at) {
      const auto [sum_re, sum_im] = by_definition(re, im, k);
      demand(std::fabs(out_re[k] - sum_re) <= tolerance<T>(n), name + ": real part");
      demand(std::fabs(out_im[k] - sum_im) <= tolerance<T>(n), name + ": imaginary part");
    }
    Fft<T>::of(n)->run(*kernels, {out_im.data(), out_re.data()}, {back_im.data(), back_re.data()},
                       static_cast<T>(1.0 / static_cast<double>(n)));
    for (int64_t j = 0; j < n; ++j) {
      // Elements are at most a half, and the error of either direction is spread over all.
      const double allowed = 2 * tolerance<T>(n) / std::sqrt(static_cast<double>(n));
      demand(std::fabs(back_re[j] - re[j]) <= allowed && std::fabs(back_im[j] - im[j]) <= allowed,
             name + ": does not come back");
    }
  }
}

template <typename T>
void check_convolution(FuzzedDataProvider& in) {
  const int64_t signal_size = draw_size(in, 0, 700), kernel_size = draw_size(in, 1, 300);
  const int64_t block = kernel_size + draw_size(in, 0, 600), full = signal_size + kernel_size - 1;
  const int64_t start = draw(in, 0, full + 3), out_size = draw(in, 0, full + 9), offset = draw(in, 0, 3);
  const auto seed = in.ConsumeIntegral<uint16_t>();
  const Operand<T> signal = noise<T>(signal_size, offset, seed),
                   kernel = noise<T>(kernel_size, offset, seed + 1);
  std::vector<double> expected(out_size);
  for (int64_t i = 0; i < out_size; ++i) {
    for (int64_t j = 0; j < kernel_size; ++j) {
      const int64_t at = start + i - j;
      if (at >= 0 && at < signal_size)
        expected[i] += static_cast<double>(signal[at]) * static_cast<double>(kernel[j]);
    }
  }
  // Through three transforms of a block, whose products are at most kernel_size / 4.
  const double allowed =
      8 * tolerance<T>(block) * std::sqrt(static_cast<double>(std::min(kernel_size, signal_size) + 1));
  for (const KernelTable* kernels : available_kernels()) {
    Operand<T> out(out_size, offset);
    fft_convolve(Context{kernels}, signal.data(), signal_size, kernel.data(), kernel_size, block, start,
                 out.data(), out_size);
    for (int64_t i = 0; i < out_size; ++i) {
      demand(std::fabs(out[i] - expected[i]) <= allowed,
             std::string(kernels->name) + ": element " + std::to_string(i) + " is " + std::to_string(out[i]) +
                 ", expected " + std::to_string(expected[i]) + " within " + std::to_string(allowed));
    }
  }
}

}  // namespace
}  // namespace convmat::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace convmat::test;
  FuzzedDataProvider in(data, size);
  switch (in.ConsumeIntegralInRange(0, 3)) {
    case 0:
      check_transform<float>(in);
      break;
    case 1:
      check_transform<double>(in);
      break;
    case 2:
      check_convolution<float>(in);
      break;
    default:
      check_convolution<double>(in);
  }
  return 0;
}
