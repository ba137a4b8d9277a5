// Batch normalisation against its definition, an element at a time.
#include "ops/batch_norm.h"

#include <cmath>
#include <limits>
#include <vector>

#include "support.h"

namespace convmat::test {
namespace {

// Planes shorter than a vector, of parts of them, of several; one channel, which is one plane.
constexpr struct {
  int64_t batch, channels, places;
} kShapes[] = {{1, 1, 2}, {5, 3, 1}, {2, 4, 7}, {3, 1, 50}, {1, 17, 33}, {4, 2, 131}, {0, 3, 4}, {2, 3, 0}};

template <typename T>
DType dtype_for() {
  return sizeof(T) == sizeof(float) ? DType::f32 : DType::f64;
}

template <typename T>
struct Problem {
  ChannelShape shape;
  std::vector<T> x, g;
  std::vector<double> mean, scale, factor, offset;

  Problem(int64_t batch, int64_t channels, int64_t places) : shape{dtype_for<T>(), batch, channels, places} {
    std::mt19937 random(11);
    const auto drawn = [&] { return static_cast<double>(random() % 2001) / 1000 - 1; };
    for (int64_t i = 0; i < batch * channels * places; ++i) {
      x.push_back(static_cast<T>(100 + drawn()));
      g.push_back(static_cast<T>(drawn()));
    }
    for (int64_t c = 0; c < channels; ++c) {
      mean.push_back(100 + 0.1 * drawn());
      scale.push_back(1.5 + drawn());
      factor.push_back(scale.back() * drawn());
      offset.push_back(0.1 * drawn() - mean.back() * factor.back());
    }
  }

  template <typename Body>
  void each(int64_t channel, const Body& body) const {
    for (int64_t n = 0; n < shape.batch; ++n) {
      for (int64_t p = 0; p < shape.places; ++p) body((n * shape.channels + channel) * shape.places + p);
    }
  }
};

template <typename T>
void check_moments(const KernelTable& kernels, const Problem<T>& problem) {
  const ChannelShape& shape = problem.shape;
  if (shape.batch * shape.places == 0) return;
  std::vector<double> mean(shape.channels), squares(shape.channels);
  batch_moments(Context{&kernels}, shape, problem.x.data(), mean.data(), squares.data());
  for (int64_t c = 0; c < shape.channels; ++c) {
    double sum = 0, expected = 0;
    problem.each(c, [&](int64_t i) { sum += problem.x[i]; });
    sum /= static_cast<double>(shape.batch * shape.places);
    problem.each(c, [&](int64_t i) { expected += (problem.x[i] - sum) * (problem.x[i] - sum); });
    EXPECT_NEAR(mean[c], sum, 1e-11);
    EXPECT_NEAR(squares[c], expected, 1e-10 * (1 + expected));
  }
}

template <typename T>
T mapped(const Problem<T>& problem, int64_t channel, int64_t i) {
  return static_cast<T>(static_cast<double>(problem.x[i]) * problem.factor[channel] +
                        problem.offset[channel]);
}

template <typename T>
void check_affine(const KernelTable& kernels, const Problem<T>& problem) {
  for (const bool is_rectified : {false, true}) {
    for (const bool in_place : {false, true}) {
      std::vector<T> y = problem.x;
      std::vector<T> x = problem.x;
      channel_affine(Context{&kernels}, problem.shape, in_place ? y.data() : x.data(), problem.factor.data(),
                     problem.offset.data(), is_rectified, y.data());
      for (int64_t c = 0; c < problem.shape.channels; ++c) {
        problem.each(c, [&](int64_t i) {
          const T value = mapped(problem, c, i);
          ASSERT_EQ(y[i], is_rectified && value < 0 ? 0 : value);
        });
      }
    }
  }
}

template <typename T>
void check_grad(const KernelTable& kernels, const Problem<T>& problem, bool is_rectified, bool is_of_batch,
                bool in_place) {
  const ChannelShape& shape = problem.shape;
  std::vector<T> g = problem.g;
  std::vector<T> result(problem.g.size(), 77);
  T* const dx = in_place ? g.data() : result.data();
  std::vector<double> sums(shape.channels), products(shape.channels);
  batch_norm_grad(Context{&kernels}, {shape, g.data(), problem.x.data(), problem.mean.data(),
                                      problem.scale.data(), problem.factor.data(), problem.offset.data(),
                                      is_rectified, is_of_batch, dx, sums.data(), products.data()});
  const auto count = static_cast<double>(shape.batch * shape.places);
  for (int64_t c = 0; c < shape.channels; ++c) {
    double sum = 0, product = 0;
    const auto passed = [&](int64_t i) {
      return is_rectified && mapped(problem, c, i) <= 0 ? 0.0 : static_cast<double>(problem.g[i]);
    };
    const auto normal = [&](int64_t i) { return (problem.x[i] - problem.mean[c]) * problem.scale[c]; };
    problem.each(c, [&](int64_t i) {
      sum += passed(i);
      product += passed(i) * normal(i);
    });
    EXPECT_NEAR(sums[c], sum, 1e-12 * (1 + count));
    EXPECT_NEAR(products[c], product, 1e-11 * (1 + count));
    problem.each(c, [&](int64_t i) {
      const double back = is_of_batch ? (sum + normal(i) * product) / count : 0;
      const double expected = problem.factor[c] * (passed(i) - back);
      ASSERT_NEAR(dx[i], expected, 4 * std::numeric_limits<T>::epsilon() * (1 + std::abs(expected)) + 1e-11);
    });
  }
}

template <typename T>
void check_all(const KernelTable& kernels) {
  for (const auto& [batch, channels, places] : kShapes) {
    const Problem<T> problem(batch, channels, places);
    check_moments(kernels, problem);
    check_affine(kernels, problem);
    for (int options = 0; options < 8; ++options)
      check_grad(kernels, problem, (options & 1) != 0, (options & 2) != 0, (options & 4) != 0);
  }
}

using BatchNorm = EachIsa;

TEST_P(BatchNorm, IsItsDefinitionInBothPrecisions) {
  check_all<float>(kernels());
  check_all<double>(kernels());
}

// Where the output was NaN, the gradient passes; where it was too small for its type, it does not.
TEST_P(BatchNorm, RectifiedGradientPassesAsTheOutputTells) {
  constexpr int64_t n = 37;
  const double factor = 1, offset = 0, mean = 0, scale = 1;
  for (const float value :
       {0x1p-149f, 0.0f, -0x1p-149f, 1.0f, -1.0f, std::numeric_limits<float>::quiet_NaN()}) {
    for (const double by : {factor, 0.5, 0.75}) {
      const std::vector<float> x(n, value), g(n, 3);
      std::vector<float> y(n), dx(n);
      double sum = 0, product = 0;
      const ChannelShape shape = {DType::f32, 1, 1, n};
      channel_affine(Context{&kernels()}, shape, x.data(), &by, &offset, true, y.data());
      batch_norm_grad(Context{&kernels()}, {shape, g.data(), x.data(), &mean, &scale, &by, &offset, true,
                                            false, dx.data(), &sum, &product});
      for (int64_t i = 0; i < n; ++i) ASSERT_EQ(dx[i], y[i] == 0 ? 0 : static_cast<float>(3 * by)) << value;
    }
  }
}

CONVMAT_ON_EACH_ISA(BatchNorm);

}  // namespace
}  // namespace convmat::test
