// Every operation of every vector layer against scalar arithmetic, at every partial count.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/cpu.h"
#include "support.h"
#include "vec_probe.h"

namespace convmat {

// One per vec_probe.cc object that the build made.
#define CONVMAT_PROBED_ISA(isa)            \
  namespace isa {                          \
  extern const test::VecProbes vec_probes; \
  }
CONVMAT_PROBED_ISAS
#undef CONVMAT_PROBED_ISA

namespace test {
namespace {

const VecProbes& probes_of(const std::string& isa_wanted) {
#define CONVMAT_PROBED_ISA(isa) \
  if (isa_wanted == #isa) return convmat::isa::vec_probes;
  CONVMAT_PROBED_ISAS
#undef CONVMAT_PROBED_ISA
  throw std::invalid_argument("no probe for " + isa_wanted);
}

constexpr int kGuard = -777;

template <typename T, typename Probe>
void check_partial_access(const Probe& vec) {
  for (int count = 1; count <= vec.lanes; ++count) {
    // The source ends where reading must: a sanitizer sees a load that goes further.
    const std::vector<T> source = whole_numbers<T>(count, 1);
    std::vector<T> loaded(vec.lanes, T{kGuard});
    vec.load_partial(source.data(), count, loaded.data());
    for (int i = 0; i < vec.lanes; ++i)
      EXPECT_EQ(loaded[i], i < count ? source[i] : T{0}) << count << " lane " << i;

    const std::vector<T> full = whole_numbers<T>(vec.lanes, 2);
    std::vector<T> exact(count);
    vec.store_partial(exact.data(), count, full.data());
    for (int i = 0; i < count; ++i) EXPECT_EQ(exact[i], full[i]);
    std::vector<T> guarded(vec.lanes, T{kGuard});
    vec.store_partial(guarded.data(), count, full.data());
    for (int i = 0; i < vec.lanes; ++i) EXPECT_EQ(guarded[i], i < count ? full[i] : T{kGuard});
  }
}

template <typename T>
void check_masked_loads(const VecProbe<T>& vec) {
  const unsigned all = (1u << vec.lanes) - 1;
  for (unsigned bits = 0; bits <= all; bits = bits < 256 ? bits + 1 : bits * 2 + 1) {
    const int end = static_cast<int>(std::log2(bits + 0.5)) + 1;  // one past the highest lane wanted
    const std::vector<T> source = whole_numbers<T>(bits == 0 ? 0 : 2 * end - 1, 5);
    std::vector<T> out(vec.lanes, T{kGuard});
    vec.load_masked(source.data(), bits, out.data());
    for (int i = 0; i < vec.lanes; ++i)
      EXPECT_EQ(out[i], bits >> i & 1 ? source[i] : T{0}) << bits << " lane " << i;
    vec.load_even(source.data(), bits, out.data());
    for (int i = 0; i < vec.lanes; ++i)
      EXPECT_EQ(out[i], bits >> i & 1 ? source[2 * i] : T{0}) << bits << " " << i;
  }
}

// Halfway values too: they round to even.
template <typename T>
void check_widening(const VecProbe<T>& vec, int doubles) {
  const std::vector<T> source = whole_numbers<T>(doubles, 7);
  std::vector<double> wide(doubles, kGuard);
  vec.load_widened(source.data(), wide.data());
  for (int i = 0; i < doubles; ++i) EXPECT_EQ(wide[i], source[i]) << i;
  for (int i = 0; i < doubles; ++i) wide[i] = 1 + (2 * i + 1) * 0x1p-24 + (i % 3 - 1) * 0x1p-50;
  std::vector<T> narrow(doubles);
  vec.store_narrowed(narrow.data(), wide.data());
  for (int i = 0; i < doubles; ++i) EXPECT_EQ(narrow[i], static_cast<T>(wide[i])) << i;
}

// Any bits of an index beyond the lanes' are ignored where the mask is not set.
void check_pick(const VecProbe<float>& vec) {
  const std::vector<float> source = whole_numbers<float>(2 * vec.lanes, 8);
  for (int step = -3; step <= 3; ++step) {
    std::vector<int> index(vec.lanes);
    unsigned bits = 0;
    for (int i = 0; i < vec.lanes; ++i) {
      index[i] = vec.lanes - 1 + step * i;
      if (index[i] >= 0 && index[i] < 2 * vec.lanes && i % 5 != 3) bits |= 1u << i;
    }
    std::vector<float> out(vec.lanes, kGuard);
    vec.pick(source.data(), index.data(), bits, out.data());
    for (int i = 0; i < vec.lanes; ++i)
      EXPECT_EQ(out[i], bits >> i & 1 ? source[index[i]] : 0) << step << " lane " << i;
  }
}

template <typename T>
void check_gather(const VecProbe<T>& vec) {
  const std::vector<T> source = whole_numbers<T>(100, 6);
  std::vector<int> indices(vec.lanes);
  for (int i = 0; i < vec.lanes; ++i) indices[i] = i == 0 ? 99 : i == 1 ? 0 : i * 37 % 100;
  std::vector<T> out(vec.lanes);
  vec.gather(source.data(), indices.data(), out.data());
  for (int i = 0; i < vec.lanes; ++i) EXPECT_EQ(out[i], source[indices[i]]) << i;
}

template <typename T>
void check_transpose(const VecProbe<T>& vec) {
  std::vector<T> square(vec.lanes * vec.lanes), out(square.size());
  for (size_t i = 0; i < square.size(); ++i) square[i] = static_cast<T>(i);
  vec.transpose(square.data(), out.data());
  for (int i = 0; i < vec.lanes; ++i) {
    for (int j = 0; j < vec.lanes; ++j) EXPECT_EQ(out[i * vec.lanes + j], square[j * vec.lanes + i]);
  }
}

template <typename T>
void check_arithmetic(const VecProbe<T>& vec, bool fused) {
  // a * b needs more bits than T has, so fused and unfused multiply-add differ.
  const T eps = std::numeric_limits<T>::epsilon();
  std::vector<T> a(vec.lanes), b(vec.lanes), c(vec.lanes), out(vec.lanes);
  for (int i = 0; i < vec.lanes; ++i) {
    a[i] = 1 + (i + 1) * eps;
    b[i] = 1 - (i + 2) * eps;
    c[i] = -1;
  }
  vec.add(a.data(), b.data(), out.data());
  for (int i = 0; i < vec.lanes; ++i) EXPECT_EQ(out[i], a[i] + b[i]);
  vec.sub(a.data(), b.data(), out.data());
  for (int i = 0; i < vec.lanes; ++i) EXPECT_EQ(out[i], a[i] - b[i]);
  vec.mul(a.data(), b.data(), out.data());
  for (int i = 0; i < vec.lanes; ++i) EXPECT_EQ(out[i], a[i] * b[i]);
  vec.fma(a.data(), b.data(), c.data(), out.data());
  for (int i = 0; i < vec.lanes; ++i)
    EXPECT_EQ(out[i], fused ? std::fma(a[i], b[i], c[i]) : a[i] * b[i] + c[i]);
  vec.fnma(a.data(), b.data(), c.data(), out.data());
  for (int i = 0; i < vec.lanes; ++i)
    EXPECT_EQ(out[i], fused ? std::fma(-a[i], b[i], c[i]) : c[i] - a[i] * b[i]);
  vec.broadcast(T{3}, out.data());
  for (int i = 0; i < vec.lanes; ++i) EXPECT_EQ(out[i], T{3});
  vec.zero(out.data());
  for (int i = 0; i < vec.lanes; ++i) EXPECT_EQ(out[i], T{0});
  const std::vector<T> whole = whole_numbers<T>(vec.lanes, 3);
  T expected = 0;
  for (const T value : whole) expected += value;
  EXPECT_EQ(vec.sum(whole.data()), expected);
}

template <typename T>
void check_min_max(const VecProbe<T>& vec) {
  const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
  const std::vector<T> low(vec.lanes, T{-1}), high(vec.lanes, T{1});
  const T specials[] = {nan, inf, -inf, T{0}, T{-2}, T{2}};
  std::vector<T> out(vec.lanes);
  for (const T special : specials) {
    for (int at = 0; at < vec.lanes; ++at) {
      std::vector<T> x(vec.lanes, T{0});
      x[at] = special;
      vec.max(low.data(), x.data(), out.data());
      for (int i = 0; i < vec.lanes; ++i) {
        if (std::isnan(x[i])) {
          EXPECT_TRUE(std::isnan(out[i]));
        } else {
          EXPECT_EQ(out[i], x[i] > -1 ? x[i] : -1);
        }
      }
      vec.min(high.data(), x.data(), out.data());
      for (int i = 0; i < vec.lanes; ++i) {
        if (std::isnan(x[i])) {
          EXPECT_TRUE(std::isnan(out[i]));
        } else {
          EXPECT_EQ(out[i], x[i] < 1 ? x[i] : 1);
        }
      }
    }
  }
}

void check_int_arithmetic(const IntVecProbe& vec) {
  constexpr int kMin = std::numeric_limits<int>::min(), kMax = std::numeric_limits<int>::max();
  const auto wrapped = [](int64_t value) { return static_cast<int>(static_cast<uint32_t>(value)); };
  const auto pair = [](int low, int high) {
    return static_cast<int>((low & 0xffff) | static_cast<unsigned>(high) << 16);
  };
  const int values[][2] = {{1, 2}, {-1, 255}, {-128, -128}, {-32768, 32767}, {-32767, -32767}, {0, -1}};
  std::vector<int> a(vec.lanes), b(vec.lanes), c(vec.lanes), out(vec.lanes);
  for (const auto& x : values) {
    for (const auto& y : values) {
      for (int i = 0; i < vec.lanes; ++i) {
        a[i] = pair(x[0], x[1]);
        b[i] = pair(y[0], y[1]);
        c[i] = i % 3 == 0 ? kMax : i % 3 == 1 ? kMin : i;
      }
      vec.dot_pairs(a.data(), b.data(), c.data(), out.data());
      for (int i = 0; i < vec.lanes; ++i) {
        EXPECT_EQ(out[i], wrapped(int64_t{c[i]} + int64_t{x[0]} * y[0] + int64_t{x[1]} * y[1]));
      }
      vec.add(a.data(), c.data(), out.data());
      for (int i = 0; i < vec.lanes; ++i) EXPECT_EQ(out[i], wrapped(int64_t{a[i]} + c[i]));
    }
  }
  vec.broadcast(kMin, out.data());
  EXPECT_EQ(out, std::vector<int>(vec.lanes, kMin));
  vec.zero(out.data());
  EXPECT_EQ(out, std::vector<int>(vec.lanes, 0));
}

class VectorLayer : public EachIsa {
 protected:
  const VecProbes& probes() const { return probes_of(kernels().name); }
  bool fused() const { return std::string(kernels().name) != "generic"; }
};

TEST_P(VectorLayer, PartialLoadsAndStoresTouchTheirLanesOnly) {
  check_partial_access<float>(probes().f32);
  check_partial_access<double>(probes().f64);
  check_partial_access<int>(probes().i32);
}
TEST_P(VectorLayer, MaskedLoadsTouchTheirLanesOnly) {
  check_masked_loads(probes().f32);
  check_gather(probes().f32);
  check_masked_loads(probes().f64);
  check_gather(probes().f64);
}
TEST_P(VectorLayer, WidensAndNarrows) {
  check_widening(probes().f32, probes().f64.lanes);
  check_widening(probes().f64, probes().f64.lanes);
}
TEST_P(VectorLayer, PicksFromTwoVectors) {
  if (probes().f32.pick != nullptr) check_pick(probes().f32);
}
TEST_P(VectorLayer, TransposesSquares) {
  check_transpose(probes().f32);
  check_transpose(probes().f64);
}
TEST_P(VectorLayer, ArithmeticIsThatOfEachLane) {
  check_arithmetic(probes().f32, fused());
  check_arithmetic(probes().f64, fused());
}
TEST_P(VectorLayer, IntegersWrap) { check_int_arithmetic(probes().i32); }
TEST_P(VectorLayer, MinAndMaxLetNanThrough) {
  check_min_max(probes().f32);
  check_min_max(probes().f64);
}
// Products in double, halves to even: also about halves, where floats would not tell.
TEST_P(VectorLayer, ScalesToBytesAsDoubleDoes) {
  const IntVecProbe& vec = probes().i32;
  std::mt19937 random(1);
  const int lanes = vec.lanes;
  std::vector<int> rows(4 * lanes), words(lanes);
  std::vector<double> multipliers(lanes);
  for (int round = 0; round < 20000; ++round) {
    const int zero_point = static_cast<int>(random() % 256);
    for (int lane = 0; lane < lanes; ++lane) {
      // Sums of up to 31 bits, and multipliers that bring the first of them near to an integer and a half.
      for (int k = 0; k < 4; ++k) rows[k * lanes + lane] = static_cast<int>(random()) >> random() % 31;
      const double half = static_cast<int>(random() % 600) - 300 + 0.5;
      const double near =
          half * (1 + (static_cast<int>(random() % 7) - 3) * std::pow(2.0, -20 - int(random() % 34)));
      const double sum = std::abs(static_cast<double>(rows[lane]));
      const double any = std::ldexp(static_cast<double>(random()), -static_cast<int>(random() % 90));
      multipliers[lane] = round % 4 == 0 || sum == 0 ? any : std::abs(near) / sum;
      if (random() % 50 == 0) multipliers[lane] = std::numeric_limits<double>::max();
      if (random() % 50 == 0) multipliers[lane] = std::numeric_limits<double>::denorm_min();
    }
    vec.scale_to_bytes(rows.data(), multipliers.data(), zero_point, words.data());
    for (int lane = 0; lane < lanes; ++lane) {
      for (int k = 0; k < 4; ++k) {
        const double product = rows[k * lanes + lane] * multipliers[lane];
        const double want = std::clamp(std::nearbyint(product) + zero_point, 0.0, 255.0);
        ASSERT_EQ(static_cast<unsigned>(words[lane]) >> 8 * k & 255, static_cast<unsigned>(want))
            << rows[k * lanes + lane] << " * " << multipliers[lane] << " + " << zero_point;
      }
    }
  }
}
// Halves to even, what is beyond bytes, and no number at all.
TEST_P(VectorLayer, RoundsFloatsToBytes) {
  const IntVecProbe& vec = probes().i32;
  std::mt19937 random(2);
  std::vector<float> rows(4 * vec.lanes);
  std::vector<int> words(vec.lanes);
  constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  constexpr float rare[] = {inf, -inf, nan, -nan, 3e38f, -3e38f, 0x1p31f, -0x1p31f, 1e-45f, -0.0f};
  for (int round = 0; round < 2000; ++round) {
    const int zero_point = static_cast<int>(random() % 256);
    for (float& value : rows) {
      value = static_cast<float>(static_cast<int>(random() % 2400) - 1200) / (random() % 2 == 0 ? 2 : 3);
      if (random() % 20 == 0) value = rare[random() % std::size(rare)];
    }
    vec.round_to_bytes(rows.data(), zero_point, words.data());
    for (int i = 0; i < 4 * vec.lanes; ++i) {
      const double rounded = std::nearbyint(static_cast<double>(rows[i])) + zero_point;
      const double want = std::isnan(rows[i]) ? 0 : std::clamp(rounded, 0.0, 255.0);
      ASSERT_EQ(static_cast<unsigned>(words[i % vec.lanes]) >> 8 * (i / vec.lanes) & 255,
                static_cast<unsigned>(want))
          << rows[i] << " + " << zero_point;
    }
  }
}
TEST_P(VectorLayer, SumsOfProductsOfBytesAreRoundedOnce) {
  const IntVecProbe& vec = probes().i32;
  std::mt19937 random(3);
  std::vector<int> a(vec.lanes);
  std::vector<float> b(vec.lanes), c(vec.lanes), y(vec.lanes);
  const auto draw = [&] { return std::ldexp(static_cast<float>(random()), -32 - int(random() % 8)); };
  for (int round = 0; round < 5000; ++round) {
    for (int i = 0; i < vec.lanes; ++i) {
      a[i] = static_cast<int>(random() % 511) - 255;
      b[i] = draw();
      c[i] = random() % 2 == 0 ? draw() * 200 : -draw() * 200;
    }
    vec.fma_once(a.data(), b.data(), c.data(), y.data());
    for (int i = 0; i < vec.lanes; ++i)
      ASSERT_EQ(y[i], std::fma(static_cast<float>(a[i]), b[i], c[i]))
          << a[i] << " * " << b[i] << " + " << c[i];
  }
}
TEST_P(VectorLayer, PartsOfBytes) {
  const IntVecProbe& vec = probes().i32;
  const int width = 4 * vec.lanes;
  std::vector<int> words(vec.lanes);
  for (int i = 0; i < width; ++i) reinterpret_cast<uint8_t*>(words.data())[i] = static_cast<uint8_t>(i + 1);
  for (int first = 0; first < width; ++first) {
    for (int count = 1; first + count <= width; ++count) {
      // The result ends where writing must: a sanitizer sees a store that goes further.
      std::vector<uint8_t> part(count);
      vec.store_bytes(part.data(), words.data(), first, count);
      for (int i = 0; i < count; ++i) ASSERT_EQ(part[i], first + i + 1) << first << ", " << count;
    }
  }
}
// An instruction set that adds tiles to another's kernels has that one's vectors.
std::vector<const KernelTable*> with_own_vectors() {
  std::vector<const KernelTable*> tables;
  for (const KernelTable* table : available_kernels()) {
    if (table->integer.tiles == nullptr) tables.push_back(table);
  }
  return tables;
}
INSTANTIATE_TEST_SUITE_P(Isa, VectorLayer, testing::ValuesIn(with_own_vectors()), isa_name);

TEST(Cpu, WhatRunsEverywhereIsAlwaysThereAndLast) {
#if defined(__aarch64__) || defined(_M_ARM64)
  const char* const everywhere = "neon";
#else
  const char* const everywhere = "generic";
#endif
  ASSERT_FALSE(available_kernels().empty());
  EXPECT_STREQ(available_kernels().back()->name, everywhere);
  EXPECT_EQ(find_kernels(everywhere), available_kernels().back());
  EXPECT_EQ(&best_kernels(), available_kernels().front());
}
TEST(Cpu, UnknownNamesAreAbsent) {
  EXPECT_EQ(find_kernels("avx"), nullptr);
  EXPECT_EQ(find_kernels(""), nullptr);
}

}  // namespace
}  // namespace test
}  // namespace convmat
