// Kernels over channels of a batch, in double: the moments of their elements, affine maps, and the adjoint of
// both together.
#pragma once

#include "table/channels.h"

namespace convmat::CONVMAT_ISA {
namespace {

// Vectors of sums: as many as an addition takes cycles.
constexpr int kChannelSums = 4;

// run(channel, where its plane begins) for each plane, in the order of memory.
template <typename Run>
CONVMAT_INLINE void each_plane(const ChannelGroup& group, const Run& run) {
  for (int64_t n = 0; n < group.batch; ++n) {
    for (int64_t c = 0; c < group.channels; ++c) run(c, n * group.step + c * group.places);
  }
}

// The sum of a plane's terms: of(i) gives a vector of those of the elements from i on, of_one(i) the one of
// element i.
template <typename Of, typename OfOne>
CONVMAT_INLINE double plane_sum(int64_t begin, int64_t places, const Of& of, const OfOne& of_one) {
  constexpr int lanes = Vec<double>::lanes;
  const int64_t end = begin + places;
  double rest = 0;
  int64_t i = begin;
  if (places >= lanes) {
    Vec<double> sums[kChannelSums];
    CONVMAT_UNROLL for (int k = 0; k < kChannelSums; ++k) sums[k] = zero<double>();
    for (; i + kChannelSums * lanes <= end; i += kChannelSums * lanes) {
      CONVMAT_UNROLL for (int k = 0; k < kChannelSums; ++k) sums[k] = add(sums[k], of(i + k * lanes));
    }
    for (; i + lanes <= end; i += lanes) sums[0] = add(sums[0], of(i));
    rest = sum(add(add(sums[0], sums[1]), add(sums[2], sums[3])));
  }
  for (; i < end; ++i) rest += of_one(i);
  return rest;
}

template <typename T>
void channel_moments(const ChannelGroup& group, const T* x, double* mean, double* squares) {
  for (int64_t c = 0; c < group.channels; ++c) mean[c] = squares[c] = 0;
  each_plane(group, [=](int64_t c, int64_t begin) {
    mean[c] += plane_sum(
        begin, group.places, [=](int64_t i) { return load_widened(x + i); },
        [=](int64_t i) { return static_cast<double>(x[i]); });
  });
  const auto count = static_cast<double>(group.batch * group.places);
  for (int64_t c = 0; c < group.channels; ++c) mean[c] /= count;
  each_plane(group, [=](int64_t c, int64_t begin) {
    const double middle = mean[c];
    const Vec<double> middles = broadcast(middle);
    squares[c] += plane_sum(
        begin, group.places,
        [=](int64_t i) {
          const Vec<double> distance = sub(load_widened(x + i), middles);
          return mul(distance, distance);
        },
        [=](int64_t i) {
          const double distance = static_cast<double>(x[i]) - middle;
          return distance * distance;
        });
  });
}

// NaN stays, and of zeros the positive one.
CONVMAT_INLINE Vec<double> rectified(Vec<double> a) { return add(max(zero<double>(), a), zero<double>()); }
CONVMAT_INLINE double rectified(double a) { return (0 > a ? 0 : a) + 0.0; }

template <typename T, bool RECTIFIED>
CONVMAT_NOINLINE void channel_affine_of(const ChannelAffine<T>& f) {
  constexpr int lanes = Vec<double>::lanes;
  each_plane(f.group, [&](int64_t c, int64_t begin) {
    const T* const x = f.x + begin;
    T* const y = f.y + begin;
    const int64_t places = f.group.places;
    const double factor = f.factor[c], offset = f.offset[c];
    const Vec<double> factors = broadcast(factor), offsets = broadcast(offset);
    int64_t i = 0;
    for (; i + lanes <= places; i += lanes) {
      const Vec<double> value = add(mul(load_widened(x + i), factors), offsets);
      store_narrowed(y + i, RECTIFIED ? rectified(value) : value);
    }
    for (; i < places; ++i) {
      const double value = static_cast<double>(x[i]) * factor + offset;
      y[i] = static_cast<T>(RECTIFIED ? rectified(value) : value);
    }
  });
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

// Of a plane: the sum of g, and that of g * (x - mean), in one pass.
template <typename T, bool RECTIFIED>
CONVMAT_INLINE void plane_grad_sums(const PassedGrad<T, RECTIFIED>& passed, double mean, int64_t begin,
                                    int64_t places, double* sum_of_g, double* sum_of_products) {
  constexpr int lanes = Vec<double>::lanes;
  const int64_t end = begin + places;
  const Vec<double> means = broadcast(mean);
  Vec<double> sums[2] = {zero<double>(), zero<double>()}, products[2] = {zero<double>(), zero<double>()};
  const auto accumulate = [&](int k, int64_t i) {
    const Vec<double> g = passed.vector(i);
    sums[k] = add(sums[k], g);
    products[k] = fma(g, sub(load_widened(passed.x + i), means), products[k]);
  };
  int64_t i = begin;
  for (; i + 2 * lanes <= end; i += 2 * lanes) {
    accumulate(0, i);
    accumulate(1, i + lanes);
  }
  if (i + lanes <= end) {
    accumulate(0, i);
    i += lanes;
  }
  double total = 0, product = 0;
  for (; i < end; ++i) {
    const double g = passed.one(i);
    total += g;
    product += g * (static_cast<double>(passed.x[i]) - mean);
  }
  *sum_of_g += sum(add(sums[0], sums[1])) + total;
  *sum_of_products += sum(add(products[0], products[1])) + product;
}

// Of a plane: dx <-- factor * (g - level - slope * (x - mean)).
template <typename T, bool RECTIFIED>
CONVMAT_INLINE void plane_grad(const PassedGrad<T, RECTIFIED>& passed, double mean, double level,
                               double slope, int64_t begin, int64_t places, T* dx) {
  constexpr int lanes = Vec<double>::lanes;
  const int64_t end = begin + places;
  const double factor = passed.factor;
  const Vec<double> means = broadcast(mean), factors = broadcast(factor);
  const Vec<double> levels = broadcast(level), slopes = broadcast(slope);
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) {
    const Vec<double> along = mul(slopes, sub(load_widened(passed.x + i), means));
    store_narrowed(dx + i, mul(factors, sub(sub(passed.vector(i), levels), along)));
  }
  for (; i < end; ++i) {
    const double along = slope * (static_cast<double>(passed.x[i]) - mean);
    dx[i] = static_cast<T>(factor * ((passed.one(i) - level) - along));
  }
}

// Of a plane: dx <-- factor * g.
template <typename T, bool RECTIFIED>
CONVMAT_INLINE void plane_scale(const PassedGrad<T, RECTIFIED>& passed, int64_t begin, int64_t places,
                                T* dx) {
  constexpr int lanes = Vec<double>::lanes;
  const int64_t end = begin + places;
  const Vec<double> factors = broadcast(passed.factor);
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) store_narrowed(dx + i, mul(factors, passed.vector(i)));
  for (; i < end; ++i) dx[i] = static_cast<T>(passed.factor * passed.one(i));
}

template <typename T, bool RECTIFIED>
CONVMAT_NOINLINE void channel_grad_of(const ChannelGrad<T>& f) {
  const ChannelGroup& group = f.group;
  const int64_t places = group.places;
  const auto passed = [&](int64_t c) { return PassedGrad<T, RECTIFIED>{f.g, f.x, f.factor[c], f.offset[c]}; };
  for (int64_t c = 0; c < group.channels; ++c) f.sums[c] = f.products[c] = 0;
  each_plane(group, [&](int64_t c, int64_t begin) {
    plane_grad_sums(passed(c), f.mean[c], begin, places, f.sums + c, f.products + c);
  });
  for (int64_t c = 0; c < group.channels; ++c) f.products[c] *= f.scale[c];
  if (f.is_of_batch) {
    const auto count = static_cast<double>(group.batch * places);
    each_plane(group, [&](int64_t c, int64_t begin) {
      const double slope = f.products[c] * f.scale[c] / count;
      plane_grad(passed(c), f.mean[c], f.sums[c] / count, slope, begin, places, f.dx);
    });
  } else {
    each_plane(group, [&](int64_t c, int64_t begin) { plane_scale(passed(c), begin, places, f.dx); });
  }
}

template <typename T>
void channel_grad(const ChannelGrad<T>& f) {
  f.is_rectified ? channel_grad_of<T, true>(f) : channel_grad_of<T, false>(f);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
