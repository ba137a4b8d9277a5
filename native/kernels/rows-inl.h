// Kernels over one row of floats: reductions, softmax, normalisation.
#pragma once

#include <math.h>

#include "kernels/program-inl.h"
#include "table/rows.h"

namespace convmat::CONVMAT_ISA {
namespace {

template <RowReduction R>
CONVMAT_INLINE Vec<float> combine(Vec<float> sum, Vec<float> x) {
  switch (R) {
    case RowReduction::sum:
      return add(sum, x);
    case RowReduction::maximum:  // a NaN stays
      return if_equal(sum, sum, max(sum, x), sum);
    case RowReduction::minimum:
      return if_equal(sum, sum, min(sum, x), sum);
    case RowReduction::product:
      return mul(sum, x);
    case RowReduction::absolute_sum:
      return add(sum, absolute(x));
    case RowReduction::square_sum:
      return fma(x, x, sum);
  }
  return sum;
}

template <RowReduction R>
CONVMAT_INLINE float neutral() {
  return R == RowReduction::maximum   ? -HUGE_VALF
         : R == RowReduction::minimum ? HUGE_VALF
         : R == RowReduction::product ? 1.0f
                                      : 0.0f;
}

template <RowReduction R>
CONVMAT_NOINLINE float row_reduce_by(const float* x, int64_t n) {
  using V = Vec<float>;
  constexpr int lanes = V::lanes;
  V part[4];
  CONVMAT_UNROLL for (int i = 0; i < 4; ++i) part[i] = broadcast(neutral<R>());
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    CONVMAT_UNROLL for (int v = 0; v < 4; ++v) part[v] = combine<R>(part[v], load(x + i + v * lanes));
  }
  for (; i + lanes <= n; i += lanes) part[0] = combine<R>(part[0], load(x + i));
  // Parts of absolute values and squares are added as they are.
  constexpr RowReduction join =
      R == RowReduction::absolute_sum || R == RowReduction::square_sum ? RowReduction::sum : R;
  part[0] = combine<join>(combine<join>(part[0], part[1]), combine<join>(part[2], part[3]));
  float lane[lanes + 1];
  store(lane, part[0]);
  // Halves onto halves, as a tree.
  for (int half = lanes / 2; half > 0; half /= 2) {
    for (int k = 0; k < half; ++k) {
      const float a = lane[k], b = lane[k + half];
      lane[k] = join == RowReduction::maximum   ? (b < a || a != a ? a : b)
                : join == RowReduction::minimum ? (a < b || a != a ? a : b)
                : join == RowReduction::product ? a * b
                                                : a + b;
    }
  }
  float result = lane[0];
  for (; i < n; ++i) {
    const float a = x[i];
    switch (R) {
      case RowReduction::sum:
        result += a;
        break;
      case RowReduction::maximum:
        result = a < result || result != result ? result : a;
        break;
      case RowReduction::minimum:
        result = result < a || result != result ? result : a;
        break;
      case RowReduction::product:
        result *= a;
        break;
      case RowReduction::absolute_sum:
        result += a < 0 ? -a : a;
        break;
      case RowReduction::square_sum:
        result += a * a;
        break;
    }
  }
  return result;
}

float row_reduce(RowReduction reduction, const float* x, int64_t n) {
  switch (reduction) {
    case RowReduction::sum:
      return row_reduce_by<RowReduction::sum>(x, n);
    case RowReduction::maximum:
      return row_reduce_by<RowReduction::maximum>(x, n);
    case RowReduction::minimum:
      return row_reduce_by<RowReduction::minimum>(x, n);
    case RowReduction::product:
      return row_reduce_by<RowReduction::product>(x, n);
    case RowReduction::absolute_sum:
      return row_reduce_by<RowReduction::absolute_sum>(x, n);
    case RowReduction::square_sum:
      return row_reduce_by<RowReduction::square_sum>(x, n);
  }
  return 0;
}

void row_accumulate(RowReduction reduction, const float* x, float* to, int64_t n) {
  using V = Vec<float>;
  const auto by = [&](auto combined) { program_binary(to, x, to, n, combined); };
  switch (reduction) {
    case RowReduction::sum:
      return by([](V a, V b) { return combine<RowReduction::sum>(a, b); });
    case RowReduction::maximum:
      return by([](V a, V b) { return combine<RowReduction::maximum>(a, b); });
    case RowReduction::minimum:
      return by([](V a, V b) { return combine<RowReduction::minimum>(a, b); });
    case RowReduction::product:
      return by([](V a, V b) { return combine<RowReduction::product>(a, b); });
    case RowReduction::absolute_sum:
      return by([](V a, V b) { return combine<RowReduction::absolute_sum>(a, b); });
    case RowReduction::square_sum:
      return by([](V a, V b) { return combine<RowReduction::square_sum>(a, b); });
  }
}

void row_softmax(bool is_log, const float* x, float* y, int64_t n) {
  using V = Vec<float>;
  const V most = broadcast(row_reduce_by<RowReduction::maximum>(x, n));
  if (is_log) {
    float sum = 0;
    constexpr int64_t kPart = 256;
    float part[kPart];
    for (int64_t i = 0; i < n; i += kPart) {
      const int64_t count = n - i < kPart ? n - i : kPart;
      program_unary(x + i, part, count, [&](V a) { return exponential(sub(a, most)); });
      sum += row_reduce_by<RowReduction::sum>(part, count);
    }
    const V shift = broadcast(logf(sum));
    return program_unary(x, y, n, [&](V a) { return sub(sub(a, most), shift); });
  }
  program_unary(x, y, n, [&](V a) { return exponential(sub(a, most)); });
  const V scale = broadcast(1.0f / row_reduce_by<RowReduction::sum>(y, n));
  program_unary(y, y, n, [&](V a) { return mul(a, scale); });
}

void column_softmax(bool is_log, const ColumnSoftmax& f) {
  using V = Vec<float>;
  float* const most = f.scratch;
  float* const sums = f.scratch + f.n;
  program_unary(f.x, most, f.n, [](V a) { return a; });
  for (int64_t i = 1; i < f.count; ++i) row_accumulate(RowReduction::maximum, f.x + i * f.row, most, f.n);
  program_unary(most, sums, f.n, [](V) { return zero<float>(); });
  for (int64_t i = 0; i < f.count; ++i) {
    float* const to = f.y + i * f.row;
    const auto shifted = [](V a, V b) { return exponential(sub(a, b)); };
    if (is_log) {
      constexpr int64_t kPart = 256;
      float part[kPart];
      for (int64_t j = 0; j < f.n; j += kPart) {
        const int64_t count = f.n - j < kPart ? f.n - j : kPart;
        program_binary(f.x + i * f.row + j, most + j, part, count, shifted);
        row_accumulate(RowReduction::sum, part, sums + j, count);
      }
    } else {
      program_binary(f.x + i * f.row, most, to, f.n, shifted);
      row_accumulate(RowReduction::sum, to, sums, f.n);
    }
  }
  if (is_log) {
    for (int64_t j = 0; j < f.n; ++j) sums[j] = logf(sums[j]);
    const auto less = [](V a, V b) { return sub(a, b); };
    for (int64_t i = 0; i < f.count; ++i) {
      // The logarithm last: beside a large maximum it would lose what tells it from others.
      float* const to = f.y + i * f.row;
      program_binary(f.x + i * f.row, most, to, f.n, less);
      program_binary(to, sums, to, f.n, less);
    }
    return;
  }
  for (int64_t i = 0; i < f.count; ++i) {
    float* const to = f.y + i * f.row;
    program_binary(to, sums, to, f.n, [](V a, V b) { return div(a, b); });
  }
}

void row_normalise(const RowNormalise& f) {
  using V = Vec<float>;
  constexpr int lanes = V::lanes;
  const float mean = row_reduce_by<RowReduction::sum>(f.x, f.n) / static_cast<float>(f.n);
  const V shift = broadcast(mean);
  V squares[2] = {zero<float>(), zero<float>()};
  int64_t i = 0;
  for (; i + 2 * lanes <= f.n; i += 2 * lanes) {
    CONVMAT_UNROLL for (int v = 0; v < 2; ++v) {
      const V d = sub(load(f.x + i + v * lanes), shift);
      squares[v] = fma(d, d, squares[v]);
    }
  }
  float sum_of_squares = sum(add(squares[0], squares[1]));
  for (; i < f.n; ++i) sum_of_squares += (f.x[i] - mean) * (f.x[i] - mean);
  const float scale = 1.0f / sqrtf(sum_of_squares / static_cast<float>(f.n) + f.epsilon);
  if (!f.is_per_element) {
    const V by = broadcast(scale * f.scale[0]), plus = broadcast(f.bias[0]);
    return program_unary(f.x, f.y, f.n, [&](V a) { return fma(sub(a, shift), by, plus); });
  }
  const V by = broadcast(scale);
  program_binary(f.x, f.scale, f.y, f.n, [&](V a, V b) { return mul(mul(sub(a, shift), by), b); });
  program_binary(f.y, f.bias, f.y, f.n, [](V a, V b) { return add(a, b); });
}

// Rows that are multiplied together: as many streams as memory likes, and x is loaded once for all.
constexpr int kProductRows = 4;
// Elements of a step, two lines of the caches; and how far ahead memory is asked for those of each row.
// Without, rows come at 15 GB/s on Sapphire Rapids, with at 18.
constexpr int kProductStep = 32, kProductAhead = 256;

// A vector of floats that begins at any byte.
CONVMAT_INLINE Vec<float> load_stored(const std::byte* p) {
  Vec<float> a;
  std::memcpy(&a, p, sizeof(a));
  return a;
}

template <int ROWS>
CONVMAT_NOINLINE void row_products_of(const RowProducts& p, int64_t first) {
  using V = Vec<float>;
  constexpr int lanes = V::lanes, vectors = kProductStep / lanes;
  static_assert(vectors >= 2 && vectors % 2 == 0, "two sums of each row take turns");
  constexpr int64_t bytes = sizeof(float);
  const std::byte* const rows = p.rows + first * p.n * bytes;
  const auto at = [&](int r, int64_t i) { return rows + (r * p.n + i) * bytes; };
  V sum[ROWS][2];
  CONVMAT_UNROLL for (int r = 0; r < ROWS; ++r) sum[r][0] = sum[r][1] = broadcast(0.0f);
  int64_t i = 0;
  for (; i + kProductStep <= p.n; i += kProductStep) {
    CONVMAT_UNROLL for (int r = 0; r < ROWS; ++r) {
      CONVMAT_PREFETCH(at(r, i + kProductAhead));
      CONVMAT_PREFETCH(at(r, i + kProductAhead + kProductStep / 2));
    }
    CONVMAT_UNROLL for (int v = 0; v < vectors; ++v) {
      const V x = load(p.x + i + v * lanes);
      CONVMAT_UNROLL for (int r = 0; r < ROWS; ++r) sum[r][v % 2] =
          fma(load_stored(at(r, i + v * lanes)), x, sum[r][v % 2]);
    }
  }
  for (; i + lanes <= p.n; i += lanes) {
    const V x = load(p.x + i);
    CONVMAT_UNROLL for (int r = 0; r < ROWS; ++r) sum[r][0] = fma(load_stored(at(r, i)), x, sum[r][0]);
  }
  CONVMAT_UNROLL for (int r = 0; r < ROWS; ++r) {
    float lane[lanes + 1];
    store(lane, add(sum[r][0], sum[r][1]));
    for (int half = lanes / 2; half > 0; half /= 2) {
      for (int k = 0; k < half; ++k) lane[k] += lane[k + half];
    }
    float result = lane[0];
    for (int64_t k = i; k < p.n; ++k) {
      float weight;
      std::memcpy(&weight, at(r, k), sizeof(weight));
      result += weight * p.x[k];
    }
    result += p.bias[first + r];
    p.y[first + r] = result < p.lo ? p.lo : result > p.hi ? p.hi : result;
  }
}

void row_products(const RowProducts& p) {
  int64_t r = 0;
  for (; r + kProductRows <= p.count; r += kProductRows) row_products_of<kProductRows>(p, r);
  for (; r < p.count; ++r) row_products_of<1>(p, r);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
