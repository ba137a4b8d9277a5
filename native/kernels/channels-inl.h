// Kernels over a channel of a batch, in double: the moments of its elements, affine maps, and the adjoint of
// both together.
#pragma once

#include "table/channels.h"

namespace convmat::CONVMAT_ISA {
namespace {

// Vectors of an element's way through the sums: as many as additions take cycles.
constexpr int kChannelSums = 4;

// The sums of several terms over the planes of a channel: of(from, first) gives one vector of them, of the
// elements from `first` on of a plane that begins at `from`; of_one(from, i) those of element i.
template <typename Of, typename OfOne>
CONVMAT_INLINE double channel_sum(const ChannelPlanes& planes, const Of& of, const OfOne& of_one) {
  constexpr int lanes = Vec<double>::lanes;
  Vec<double> sums[kChannelSums];
  CONVMAT_UNROLL for (int k = 0; k < kChannelSums; ++k) sums[k] = zero<double>();
  double rest = 0;
  for (int64_t plane = 0; plane < planes.count; ++plane) {
    const int64_t begin = plane * planes.step, end = begin + planes.places;
    int64_t i = begin;
    for (; i + kChannelSums * lanes <= end; i += kChannelSums * lanes) {
      CONVMAT_UNROLL for (int k = 0; k < kChannelSums; ++k) sums[k] = add(sums[k], of(i + k * lanes));
    }
    for (; i + lanes <= end; i += lanes) sums[0] = add(sums[0], of(i));
    for (; i < end; ++i) rest += of_one(i);
  }
  return sum(add(add(sums[0], sums[1]), add(sums[2], sums[3]))) + rest;
}

template <typename T>
void channel_moments(const ChannelPlanes& planes, const T* x, double* mean, double* squares) {
  const double total = channel_sum(
      planes, [=](int64_t i) { return load_widened(x + i); },
      [=](int64_t i) { return static_cast<double>(x[i]); });
  const double middle = total / static_cast<double>(planes.count * planes.places);
  const Vec<double> middles = broadcast(middle);
  *mean = middle;
  *squares = channel_sum(
      planes,
      [=](int64_t i) {
        const Vec<double> distance = sub(load_widened(x + i), middles);
        return mul(distance, distance);
      },
      [=](int64_t i) {
        const double distance = static_cast<double>(x[i]) - middle;
        return distance * distance;
      });
}

// NaN stays, and of zeros the positive one.
CONVMAT_INLINE Vec<double> rectified(Vec<double> a) { return add(max(zero<double>(), a), zero<double>()); }
CONVMAT_INLINE double rectified(double a) { return (0 > a ? 0 : a) + 0.0; }

template <typename T, bool RECTIFIED>
CONVMAT_NOINLINE void channel_affine_of(const ChannelAffine<T>& f) {
  constexpr int lanes = Vec<double>::lanes;
  const double factor = f.factor, offset = f.offset;
  const Vec<double> factors = broadcast(factor), offsets = broadcast(offset);
  for (int64_t plane = 0; plane < f.planes.count; ++plane) {
    const T* const x = f.x + plane * f.planes.step;
    T* const y = f.y + plane * f.planes.step;
    int64_t i = 0;
    for (; i + lanes <= f.planes.places; i += lanes) {
      const Vec<double> value = add(mul(load_widened(x + i), factors), offsets);
      store_narrowed(y + i, RECTIFIED ? rectified(value) : value);
    }
    for (; i < f.planes.places; ++i) {
      const double value = static_cast<double>(x[i]) * factor + offset;
      y[i] = static_cast<T>(RECTIFIED ? rectified(value) : value);
    }
  }
}

template <typename T>
void channel_affine(const ChannelAffine<T>& f) {
  f.is_rectified ? channel_affine_of<T, true>(f) : channel_affine_of<T, false>(f);
}

// The least double that, rounded to T, is not 0.
template <typename T>
constexpr double least_above_zero() {
  return sizeof(T) == sizeof(float) ? 0x1.0000000000001p-150 : 0x1p-1074;
}

// The gradient where the ReLU after the affine map let it pass: also where its output was NaN.
template <typename T, bool RECTIFIED>
struct PassedGrad {
  const T* g;
  const T* x;
  double factor, offset;

  CONVMAT_INLINE Vec<double> vector(int64_t i) const {
    const Vec<double> grad = load_widened(g + i);
    if constexpr (!RECTIFIED) return grad;
    const Vec<double> y = add(mul(load_widened(x + i), broadcast(factor)), broadcast(offset));
    return if_less(y, broadcast(least_above_zero<T>()), zero<double>(), grad);
  }
  CONVMAT_INLINE double one(int64_t i) const {
    const auto grad = static_cast<double>(g[i]);
    if constexpr (!RECTIFIED) return grad;
    return static_cast<double>(x[i]) * factor + offset < least_above_zero<T>() ? 0 : grad;
  }
};

template <typename T, bool RECTIFIED>
CONVMAT_NOINLINE void channel_grad_of(const ChannelGrad<T>& f, double* sum_of_g, double* sum_of_products) {
  constexpr int lanes = Vec<double>::lanes;
  const PassedGrad<T, RECTIFIED> passed = {f.g, f.x, f.factor, f.offset};
  const T* const x = f.x;
  const double mean = f.mean, factor = f.factor;
  const Vec<double> means = broadcast(mean), factors = broadcast(factor);
  const double total = channel_sum(
      f.planes, [&](int64_t i) { return passed.vector(i); }, [&](int64_t i) { return passed.one(i); });
  const double product =
      f.scale * channel_sum(
                    f.planes,
                    [&](int64_t i) { return mul(passed.vector(i), sub(load_widened(x + i), means)); },
                    [&](int64_t i) { return passed.one(i) * (static_cast<double>(x[i]) - mean); });
  *sum_of_g = total;
  *sum_of_products = product;
  const auto count = static_cast<double>(f.planes.count * f.planes.places);
  const double level = total / count, slope = product * f.scale / count;
  const Vec<double> levels = broadcast(level), slopes = broadcast(slope);
  for (int64_t plane = 0; plane < f.planes.count; ++plane) {
    const int64_t begin = plane * f.planes.step, end = begin + f.planes.places;
    int64_t i = begin;
    if (f.is_of_batch) {
      for (; i + lanes <= end; i += lanes) {
        const Vec<double> along = mul(slopes, sub(load_widened(x + i), means));
        store_narrowed(f.dx + i, mul(factors, sub(sub(passed.vector(i), levels), along)));
      }
      for (; i < end; ++i) {
        const double along = slope * (static_cast<double>(x[i]) - mean);
        f.dx[i] = static_cast<T>(factor * ((passed.one(i) - level) - along));
      }
    } else {
      for (; i + lanes <= end; i += lanes) store_narrowed(f.dx + i, mul(factors, passed.vector(i)));
      for (; i < end; ++i) f.dx[i] = static_cast<T>(factor * passed.one(i));
    }
  }
}

template <typename T>
void channel_grad(const ChannelGrad<T>& f, double* sum, double* product) {
  f.is_rectified ? channel_grad_of<T, true>(f, sum, product) : channel_grad_of<T, false>(f, sum, product);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
