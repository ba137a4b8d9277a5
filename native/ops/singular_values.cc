#include "ops/singular_values.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/arena.h"
#include "runtime/thread_pool.h"

namespace convmat {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
// An entry off the diagonal that is smaller in relation to the largest value changes no value.
constexpr double kNegligible = kEpsilon / 256;
// QR steps for each value; three are usual.
constexpr int64_t kMostSteps = 60;
// One core's time for a multiplication and an addition.
constexpr double kNsPerProduct = 0.25;
// Independent sums, so that no addition waits for the one before it and compilers find vectors.
constexpr int kLanes = 8;
// Vectors with nothing larger are multiplied by kLift first, so that their squares do not vanish.
constexpr double kLow = 0x1p-400, kLift = 0x1p600;

struct Complex {
  double re, im;
};

// n elements, their parts apart.
struct Vector {
  double* re;
  double* im;
  Vector from(int64_t offset) const { return {re + offset, im + offset}; }
};

// y += a * x
void add_multiple(int64_t n, Complex a, Vector x, Vector y) {
  for (int64_t j = 0; j < n; ++j) {
    y.re[j] += a.re * x.re[j] - a.im * x.im[j];
    y.im[j] += a.re * x.im[j] + a.im * x.re[j];
  }
}

// y += a * x + b * z
void add_multiples(int64_t n, Complex a, Vector x, Complex b, Vector z, Vector y) {
  for (int64_t j = 0; j < n; ++j) {
    y.re[j] += (a.re * x.re[j] - a.im * x.im[j]) + (b.re * z.re[j] - b.im * z.im[j]);
    y.im[j] += (a.re * x.im[j] + a.im * x.re[j]) + (b.re * z.im[j] + b.im * z.re[j]);
  }
}

// The sum of conj(u) * x.
Complex inner_product(int64_t n, Vector u, Vector x) {
  double re[kLanes] = {}, im[kLanes] = {};
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      re[lane] += u.re[j + lane] * x.re[j + lane] + u.im[j + lane] * x.im[j + lane];
      im[lane] += u.re[j + lane] * x.im[j + lane] - u.im[j + lane] * x.re[j + lane];
    }
  }
  Complex sum{0, 0};
  for (; j < n; ++j) {
    sum.re += u.re[j] * x.re[j] + u.im[j] * x.im[j];
    sum.im += u.re[j] * x.im[j] - u.im[j] * x.re[j];
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    sum.re += re[lane];
    sum.im += im[lane];
  }
  return sum;
}

void scale(int64_t n, double factor, Vector x) {
  for (int64_t j = 0; j < n; ++j) {
    x.re[j] *= factor;
    x.im[j] *= factor;
  }
}

// A reflection H = I - tau * v * v^H with H^H * x = (beta, 0, ... 0), beta real.
struct Reflection {
  double beta;
  Complex tau;
};

// x becomes v, v[0] = 1.
Reflection reflect(int64_t n, Vector x) {
  double largest = 0;
  for (int64_t j = 0; j < n; ++j) largest = std::max({largest, std::fabs(x.re[j]), std::fabs(x.im[j])});
  if (largest == 0) return {0, {0, 0}};
  const bool low = largest < kLow;
  if (low) scale(n, kLift, x);
  const Complex alpha{x.re[0], x.im[0]};
  double beta = -std::copysign(std::sqrt(inner_product(n, x, x).re), alpha.re);
  const Complex tau{(beta - alpha.re) / beta, -alpha.im / beta};
  const Complex divisor{alpha.re - beta, alpha.im};
  const double size = divisor.re * divisor.re + divisor.im * divisor.im;
  const Complex factor{divisor.re / size, -divisor.im / size};
  for (int64_t j = 1; j < n; ++j) {
    const double re = x.re[j];
    x.re[j] = factor.re * re - factor.im * x.im[j];
    x.im[j] = factor.re * x.im[j] + factor.im * re;
  }
  x.re[0] = 1;
  x.im[0] = 0;
  return {low ? beta / kLift : beta, tau};
}

// a [m][n], m >= n, becomes bidiagonal: d [n] on the diagonal and e [n - 1] above it. v and w are scratch of
// m and n elements.
void bidiagonalise(int64_t m, int64_t n, Vector a, Vector v, Vector w, double* d, double* e) {
  for (int64_t k = 0; k < n; ++k) {
    const int64_t height = m - k, width = n - k - 1;
    const auto row = [=](int64_t i) { return a.from((k + i) * n + k + 1); };
    for (int64_t i = 0; i < height; ++i) {
      v.re[i] = a.re[(k + i) * n + k];
      v.im[i] = a.im[(k + i) * n + k];
    }
    const Reflection left = reflect(height, v);
    d[k] = left.beta;
    if (width == 0) continue;
    // w = -conj(tau) * v^H * a
    std::fill_n(w.re, width, 0.0);
    std::fill_n(w.im, width, 0.0);
    const auto factor = [=](int64_t i) {
      const Complex tau = left.tau;
      return Complex{-(tau.re * v.re[i] - tau.im * v.im[i]), tau.re * v.im[i] + tau.im * v.re[i]};
    };
    int64_t i = 0;
    for (; i + 2 <= height; i += 2) add_multiples(width, factor(i), row(i), factor(i + 1), row(i + 1), w);
    if (i < height) add_multiple(width, factor(i), row(i), w);
    // The first row is complete after the left reflection, and gives the right one, which follows in the same
    // pass over the others: row - conj(tau) * (row * conj(u)) * u.
    const Vector u = row(0);
    add_multiple(width, {v.re[0], v.im[0]}, w, u);
    const Reflection right = reflect(width, u);
    e[k] = right.beta;
    for (int64_t r = 1; r < height; ++r) {
      add_multiple(width, {v.re[r], v.im[r]}, w, row(r));
      const Complex s = inner_product(width, u, row(r)), tau = right.tau;
      add_multiple(width, {-(tau.re * s.re + tau.im * s.im), -(tau.re * s.im - tau.im * s.re)}, u, row(r));
    }
  }
}

struct Rotation {
  double c, s, r;
};

// c * f + s * g = r, c * g - s * f = 0.
Rotation rotation(double f, double g) {
  if (g == 0) return {1, 0, f};
  if (f == 0) return {0, 1, g};
  double r = std::sqrt(f * f + g * g);
  if (!(r > 0x1p-500)) r = std::hypot(f, g);
  return {f / r, g / r, r};
}

// The smaller singular value of [f g; 0 h].
double smaller_value(double f, double g, double h) {
  const double small = std::min(std::fabs(f), std::fabs(h)), large = std::max(std::fabs(f), std::fabs(h));
  if (small == 0) return 0;
  const double across = std::fabs(g), sum = 1 + small / large, difference = (large - small) / large;
  if (across <= large) {
    const double ratio = across / large, square = ratio * ratio;
    return small * (2 / (std::sqrt(sum * sum + square) + std::sqrt(difference * difference + square)));
  }
  const double ratio = large / across;
  if (ratio == 0) return small * large / across;
  const double plus = sum * ratio, minus = difference * ratio;
  return 2 * (small * (1 / (std::sqrt(1 + plus * plus) + std::sqrt(1 + minus * minus)))) * ratio;
}

// One QR step without a shift: small values keep their digits.
void step_unshifted(int64_t first, int64_t last, double* d, double* e) {
  double c = 1, s = 0, old_c = 1, old_s = 0;
  for (int64_t i = first; i < last; ++i) {
    const Rotation right = rotation(d[i] * c, e[i]);
    if (i > first) e[i - 1] = old_s * right.r;
    c = right.c;
    s = right.s;
    const Rotation left = rotation(old_c * right.r, d[i + 1] * s);
    old_c = left.c;
    old_s = left.s;
    d[i] = left.r;
  }
  const double h = d[last] * c;
  d[last] = h * old_c;
  e[last - 1] = h * old_s;
}

void step_shifted(int64_t first, int64_t last, double shift, double* d, double* e) {
  double f = (std::fabs(d[first]) - shift) * (std::copysign(1.0, d[first]) + shift / d[first]);
  double g = e[first];
  for (int64_t i = first; i < last; ++i) {
    const Rotation right = rotation(f, g);
    if (i > first) e[i - 1] = right.r;
    f = right.c * d[i] + right.s * e[i];
    e[i] = right.c * e[i] - right.s * d[i];
    g = right.s * d[i + 1];
    d[i + 1] = right.c * d[i + 1];
    const Rotation left = rotation(f, g);
    d[i] = left.r;
    f = left.c * e[i] + left.s * d[i + 1];
    d[i + 1] = left.c * d[i + 1] - left.s * e[i];
    if (i + 1 < last) {
      g = left.s * e[i + 1];
      e[i + 1] = left.c * e[i + 1];
    }
  }
  e[last - 1] = f;
}

// The bidiagonal matrix of d [n] and e [n - 1] becomes diagonal.
void diagonalise(int64_t n, double* d, double* e) {
  double largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(d[i]));
  for (int64_t i = 0; i + 1 < n; ++i) largest = std::max(largest, std::fabs(e[i]));
  const auto negligible = [=](int64_t i) {
    const double size = std::fabs(e[i]);
    return size <= kNegligible * largest ||
           size <= kEpsilon / 2 * std::max(std::fabs(d[i]), std::fabs(d[i + 1]));
  };
  int64_t last = n - 1, turned = n;
  for (int64_t step = 0; step < kMostSteps * n && last > 0; ++step) {
    int64_t first = last;
    while (first > 0 && !negligible(first - 1)) --first;
    if (first > 0) e[first - 1] = 0;
    if (first == last) {
      --last;
      continue;
    }
    // The smallest values are found first, at the end: a block that has its larger ones there is turned
    // around.
    if (first != turned && std::fabs(d[first]) < std::fabs(d[last])) {
      std::reverse(d + first, d + last + 1);
      std::reverse(e + first, e + last);
    }
    turned = first;
    const double shift = smaller_value(d[last - 1], e[last - 1], d[last]);
    const double ratio = shift / std::fabs(d[first]);
    if (d[first] != 0 && shift > kNegligible * largest && ratio * ratio > kEpsilon) {
      step_shifted(first, last, shift, d, e);
    } else {
      step_unshifted(first, last, d, e);
    }
  }
}

// Work on one matrix: the scratch is a copy, whose shorter side is that of the columns.
void values_of(int64_t rows, int64_t cols, const double* re, const double* im, double* values) {
  const int64_t m = std::max(rows, cols), n = std::min(rows, cols);
  ArenaFrame frame;
  const auto take = [&](int64_t count) {
    return Vector{frame.take<double>(count), frame.take<double>(count)};
  };
  const Vector a = take(m * n), v = take(m), w = take(n);
  double* const e = frame.take<double>(n);
  bool finite = true;
  for (int64_t i = 0; i < m * n; ++i) finite &= std::isfinite(re[i]) && std::isfinite(im[i]);
  if (!finite) {
    std::fill_n(values, n, std::numeric_limits<double>::quiet_NaN());
    return;
  }
  if (rows >= cols) {
    std::copy_n(re, m * n, a.re);
    std::copy_n(im, m * n, a.im);
  } else {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        a.re[i * n + j] = re[j * cols + i];
        a.im[i * n + j] = im[j * cols + i];
      }
    }
  }
  bidiagonalise(m, n, a, v, w, values, e);
  diagonalise(n, values, e);
  for (int64_t i = 0; i < n; ++i) values[i] = std::fabs(values[i]);
}

}  // namespace

void singular_values(int64_t count, int64_t rows, int64_t cols, const double* re, const double* im,
                     double* values) {
  const int64_t size = rows * cols, each = std::min(rows, cols);
  if (each == 0) return;
  const double products = 8.0 * static_cast<double>(size) * static_cast<double>(each);
  parallel_for(count, kNsPerProduct * products * static_cast<double>(count),
               [=](int64_t i) { values_of(rows, cols, re + i * size, im + i * size, values + i * each); });
}

}  // namespace convmat
