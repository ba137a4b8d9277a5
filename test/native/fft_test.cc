// Fourier transforms and convolution by them, against sums in long double.
#include "ops/fft.h"

#include <cmath>
#include <limits>
#include <vector>

#include "runtime/context.h"
#include "support.h"

namespace convmat::test {
namespace {

template <typename T>
std::vector<T> noise(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) value = static_cast<T>(random() / 4294967296.0 - 0.5);
  return values;
}

// The transform by its definition, at output k.
template <typename T>
std::pair<long double, long double> by_definition(const std::vector<T>& re, const std::vector<T>& im,
                                                  int64_t k) {
  const auto n = static_cast<int64_t>(re.size());
  long double sum_re = 0, sum_im = 0;
  for (int64_t j = 0; j < n; ++j) {
    const long double angle = -2 * 3.14159265358979323846264L * static_cast<long double>(j * k % n) / n;
    sum_re += re[j] * std::cos(angle) - im[j] * std::sin(angle);
    sum_im += re[j] * std::sin(angle) + im[j] * std::cos(angle);
  }
  return {sum_re, sum_im};
}

// Error grows as log n for a result of size sqrt(n), through two or three transforms for a chirp.
template <typename T>
double tolerance(int64_t n) {
  const auto size = static_cast<double>(n);
  return 2 * std::numeric_limits<T>::epsilon() * std::sqrt(size) * (1 + std::log2(size));
}

template <typename T>
void check_transform(const KernelTable& kernels, int64_t n, bool real) {
  const std::vector<T> re = noise<T>(n, 1), im = real ? std::vector<T>(n, T{0}) : noise<T>(n, 2);
  std::vector<T> out_re(n), out_im(n);
  if (real) {
    RealFft<T>::of(n)->run(kernels, re.data(), {out_re.data(), out_im.data()}, T{1});
  } else {
    Fft<T>::of(n)->run(kernels, {re.data(), im.data()}, {out_re.data(), out_im.data()}, T{1});
  }
  const int64_t step = n < 200 ? 1 : n / 23;
  for (int64_t k = 0; k < n; k += step) {
    const auto [expected_re, expected_im] = by_definition(re, im, k);
    ASSERT_NEAR(out_re[k], static_cast<double>(expected_re), tolerance<T>(n)) << "n " << n << " at " << k;
    ASSERT_NEAR(out_im[k], static_cast<double>(expected_im), tolerance<T>(n)) << "n " << n << " at " << k;
  }
}

template <typename T>
void check_lengths(const KernelTable& kernels) {
  for (int64_t n = 1; n <= 40; ++n) {
    check_transform<T>(kernels, n, false);
    check_transform<T>(kernels, n, true);
  }
  // Powers of each radix, products of all, a length of whole strips, one short of it, and primes.
  for (const int64_t n : {243, 343, 512, 625, 1000, 1023, 1024, 1025, 2310, 4096, 4099}) {
    check_transform<T>(kernels, n, false);
    check_transform<T>(kernels, n, true);
  }
}

using FftTest = EachIsa;

TEST_P(FftTest, EqualsTheDefinitionAtEveryLength) {
  check_lengths<float>(kernels());
  check_lengths<double>(kernels());
}

TEST_P(FftTest, ComesBackWithThePartsExchanged) {
  for (const int64_t n : {1, 2, 15, 64, 97, 1000, 65536}) {
    const std::vector<double> re = noise<double>(n, 1), im = noise<double>(n, 2);
    std::vector<double> mid_re(n), mid_im(n), back_re(n), back_im(n);
    const auto fft = Fft<double>::of(n);
    fft->run(kernels(), {re.data(), im.data()}, {mid_re.data(), mid_im.data()}, 1.0);
    fft->run(kernels(), {mid_im.data(), mid_re.data()}, {back_im.data(), back_re.data()},
             1.0 / static_cast<double>(n));
    for (int64_t j = 0; j < n; ++j) {
      ASSERT_NEAR(back_re[j], re[j], 1e-14) << "n " << n;
      ASSERT_NEAR(back_im[j], im[j], 1e-14) << "n " << n;
    }
  }
}

TEST_P(FftTest, TransformsColumnsInPlace) {
  for (const int64_t n : {1, 2, 7, 8, 30, 64, 256}) {
    const ColumnFft<double> fft(n);
    const int64_t columns = ColumnFft<double>::kColumns, pitch = columns + 3;
    std::vector<double> re = noise<double>(n * pitch, 1), im = noise<double>(n * pitch, 2);
    const std::vector<double> re_before = re, im_before = im;
    std::vector<double> scratch(fft.scratch_size(columns));
    fft.run(kernels(), {re.data(), im.data(), pitch}, {re.data(), im.data(), pitch}, columns, 2.0,
            scratch.data());
    for (int64_t c = 0; c < pitch; ++c) {
      std::vector<double> column_re(n), column_im(n);
      for (int64_t j = 0; j < n; ++j) {
        column_re[j] = re_before[j * pitch + c];
        column_im[j] = im_before[j * pitch + c];
      }
      for (int64_t k = 0; k < n; ++k) {
        if (c >= columns) {
          ASSERT_EQ(re[k * pitch + c], re_before[k * pitch + c]) << "a column beyond the strip";
          continue;
        }
        const auto [expected_re, expected_im] = by_definition(column_re, column_im, k);
        ASSERT_NEAR(re[k * pitch + c], static_cast<double>(2 * expected_re), 1e-13 * static_cast<double>(n));
        ASSERT_NEAR(im[k * pitch + c], static_cast<double>(2 * expected_im), 1e-13 * static_cast<double>(n));
      }
    }
  }
}

TEST_P(FftTest, ConvolvesEveryStretch) {
  const Context context = {&kernels()};
  for (const int64_t signal_size : {1, 50, 1000}) {
    for (const int64_t kernel_size : {1, 2, 31, 64}) {
      const std::vector<double> signal = whole_numbers<double>(signal_size, 1),
                                kernel = whole_numbers<double>(kernel_size, 2);
      const int64_t full = signal_size + kernel_size - 1;
      std::vector<double> expected(full);
      for (int64_t i = 0; i < signal_size; ++i) {
        for (int64_t j = 0; j < kernel_size; ++j) expected[i + j] += signal[i] * kernel[j];
      }
      for (const int64_t start : {int64_t{0}, full / 2, full - 1}) {
        for (const int64_t block : {64, 128, 4096}) {
          std::vector<double> out(full - start);
          fft_convolve(context, signal.data(), signal_size, kernel.data(), kernel_size, block, start,
                       out.data(), full - start);
          for (int64_t i = start; i < full; ++i) {
            ASSERT_NEAR(out[i - start], expected[i], 1e-10)
                << signal_size << " * " << kernel_size << " from " << start;
          }
        }
      }
    }
  }
}

CONVMAT_ON_EACH_ISA(FftTest);

}  // namespace
}  // namespace convmat::test
