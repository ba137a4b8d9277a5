// What an output reads: views of images and frames, axes and their adjoints, against the geometry's
// definition.
#include <numeric>
#include <set>
#include <tuple>
#include <vector>

#include "geometry/axis.h"
#include "geometry/lowering.h"
#include "geometry/view.h"
#include "plan/arith.h"
#include "reference.h"
#include "support.h"

namespace convmat::test {
namespace {

constexpr PaddingMode kModes[] = {PaddingMode::zeros, PaddingMode::circular, PaddingMode::reflect,
                                  PaddingMode::replicate};

// By stepping towards the inside; -1 where there is a zero.
int64_t stepped_source(PaddingMode mode, int64_t at, int64_t size) {
  if (at >= 0 && at < size) return at;
  switch (mode) {
    case PaddingMode::zeros:
      return -1;
    case PaddingMode::replicate:
      return at < 0 ? 0 : size - 1;
    case PaddingMode::circular:
      return ((at % size) + size) % size;
    case PaddingMode::reflect:
      return at < 0 ? -at : 2 * (size - 1) - at;
  }
  return -2;
}

Axis axis_of(const AxisCase& a) {
  ConvCase problem{"", 1, 1, 1, 1, {{1, 1}, {1, 1}, a}};
  return plan_of(problem, ConvOp::forward, DType::f32).axis[2];
}

// Every way for an axis of a few elements to be read: strides and dilations that share factors or do not.
std::vector<Axis> many_axes(PaddingMode mode) {
  std::vector<Axis> axes;
  for (const int64_t in : {1, 2, 5, 19, 40}) {
    for (const int64_t kernel : {1, 2, 3, 5}) {
      for (const int64_t stride : {1, 2, 3, 4}) {
        for (const int64_t dilation : {1, 2, 3}) {
          for (const auto& [before, after] : {std::pair{0, 0}, {2, 1}, {0, 3}, {4, 4}}) {
            const int64_t most = mode == PaddingMode::reflect    ? in - 1
                                 : mode == PaddingMode::circular ? in
                                                                 : 99;
            if (before > most || after > most) continue;
            if (in + before + after < dilation * (kernel - 1) + 1) continue;
            axes.push_back(axis_of({in, kernel, stride, dilation, before, after}));
          }
        }
      }
    }
  }
  return axes;
}

TEST(Arithmetic, DivisionsRoundToTheirSides) {
  for (int64_t b = 1; b < 9; ++b) {
    for (int64_t a = -40; a <= 40; ++a) {
      const int64_t up = signed_ceil_div(a, b), down = signed_floor_div(a, b);
      EXPECT_TRUE(up * b >= a && (up - 1) * b < a) << a << " / " << b;
      EXPECT_TRUE(down * b <= a && (down + 1) * b > a) << a << " / " << b;
      if (a < 0) continue;
      EXPECT_EQ(ceil_div(a, b), up);
      EXPECT_TRUE(round_up(a, b) >= a && round_up(a, b) < a + b && round_up(a, b) % b == 0) << a << ", " << b;
    }
  }
}

TEST(Geometry, PaddingRepeatsWhatItsModeSays) {
  for (const PaddingMode mode : kModes) {
    for (int64_t size = 1; size < 9; ++size) {
      const int64_t most = mode == PaddingMode::reflect ? size - 1 : size;
      for (int64_t at = -most; at < size + most; ++at) {
        EXPECT_EQ(source_of(at, size, mode), stepped_source(mode, at, size)) << at << " of " << size;
        EXPECT_EQ(padded_position(mode, at, size), stepped_source(mode, at, size)) << at << " of " << size;
      }
    }
  }
}

TEST(Geometry, ValidTapsAreThoseInsideTheInput) {
  for (const Axis& axis : many_axes(PaddingMode::zeros)) {
    for (int64_t o = 0; o < axis.out; ++o) {
      const TapRange taps = valid_taps(PaddingMode::zeros, axis, o);
      ASSERT_TRUE(taps.first >= 0 && taps.first <= taps.end && taps.end <= axis.kernel);
      for (int64_t t = 0; t < axis.kernel; ++t) {
        const int64_t at = o * axis.stride + t * axis.dilation - axis.pad_before;
        EXPECT_EQ(t >= taps.first && t < taps.end, at >= 0 && at < axis.in)
            << "output " << o << ", tap " << t;
      }
      EXPECT_EQ(valid_taps(PaddingMode::circular, axis, o).end, axis.kernel);
    }
  }
}

TEST(Geometry, OutputsInsideAreThoseThatReadTheImage) {
  for (const Axis& axis : many_axes(PaddingMode::zeros)) {
    for (int64_t t = 0; t < axis.kernel; ++t) {
      const int64_t first = t * axis.dilation - axis.pad_before;
      const Span inside = outputs_inside(
          {axis.in, axis.out, axis.kernel, axis.stride, axis.dilation, -axis.pad_before}, first);
      for (int64_t o = 0; o < axis.out; ++o) {
        const int64_t at = first + o * axis.stride;
        EXPECT_EQ(o >= inside.begin && o < inside.end, at >= 0 && at < axis.in) << "output " << o;
      }
    }
  }
}

// (output, tap, input) for every product, from either side.
TEST(Geometry, TheAdjointOfAnAxisHasTheSameProducts) {
  using Product = std::tuple<int64_t, int64_t, int64_t>;
  for (const Axis& axis : many_axes(PaddingMode::zeros)) {
    std::set<Product> forward, backward;
    const ToeplitzAxis f = forward_axis(axis, PaddingMode::zeros);
    for (int64_t o = 0; o < f.count; ++o) {
      for (size_t t = 0; t < f.taps.size(); ++t) {
        const int64_t at = o * f.stride + f.offsets[t];
        if (at >= 0 && at < f.source) forward.emplace(o, f.taps[t], at);
      }
    }
    for (int64_t residue = 0; residue < std::min(axis.stride, axis.in); ++residue) {
      const ToeplitzAxis b = adjoint_axis(axis, residue, axis.in);
      for (size_t t = 1; t < b.offsets.size(); ++t) EXPECT_LT(b.offsets[t - 1], b.offsets[t]);
      for (int64_t i = 0; i < b.count; ++i) {
        for (size_t t = 0; t < b.taps.size(); ++t) {
          const int64_t at = i * b.stride + b.offsets[t];
          if (at >= 0 && at < b.source) backward.emplace(at, b.taps[t], b.first + i * b.step);
        }
      }
    }
    EXPECT_EQ(forward, backward) << axis.in << " elements, kernel " << axis.kernel << ", stride "
                                 << axis.stride << ", dilation " << axis.dilation;
  }
}

template <typename T>
void check_view(const KernelTable& kernels, PaddingMode mode, const Axis (&axis)[3], const OutputBlock& block,
                int64_t row_align) {
  constexpr int64_t channels = 3;
  const auto& [depth, height, width] = axis;
  std::vector<T> image(channels * depth.in * height.in * width.in);
  std::iota(image.begin(), image.end(), T{1});
  ArenaFrame arena;
  const InputView<T> view =
      view_input(kernels.of<T>(), mode, axis, image.data(), channels, block, row_align, arena);
  const TapRange p_range = valid_taps(mode, depth, block.depth);
  const auto position = [&](const Axis& a, int64_t o, int64_t tap) {
    return stepped_source(mode, o * a.stride + tap * a.dilation - a.pad_before, a.in);
  };
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t i = 0; i < block.rows; ++i) {
      const TapRange q_range = valid_taps(mode, height, block.first_row + i);
      for (int64_t p = p_range.first; p < p_range.end; ++p) {
        for (int64_t q = q_range.first; q < q_range.end; ++q) {
          for (int64_t r = 0; r < width.kernel; ++r) {
            const int64_t z = position(depth, block.depth, p), y = position(height, block.first_row + i, q);
            for (int64_t j = 0; j < block.columns; ++j) {
              const int64_t x = position(width, block.first_column + j, r);
              const T expected = x < 0 ? T{0} : image[((c * depth.in + z) * height.in + y) * width.in + x];
              const T got = view.origin[c * view.channel + i * view.out_row + p * view.tap_depth +
                                        q * view.tap_row + view.tap_column[r] + j];
              ASSERT_EQ(got, expected) << "channel " << c << ", row " << i << ", column " << j << ", tap "
                                       << p << ' ' << q << ' ' << r;
            }
          }
        }
      }
    }
  }
}

class GeometryView : public EachIsa {};
TEST_P(GeometryView, ShowsWhatEachTapReads) {
  for (const PaddingMode mode : kModes) {
    const std::vector<Axis> axes = many_axes(mode);
    std::mt19937 random(static_cast<uint32_t>(mode));
    const auto any = [&] { return axes[random() % axes.size()]; };
    for (int round = 0; round < 150; ++round) {
      const Axis axis[3] = {any(), any(), any()};
      const int64_t row = random() % axis[1].out, column = random() % axis[2].out;
      const OutputBlock block = {static_cast<int64_t>(random() % axis[0].out), row,
                                 1 + static_cast<int64_t>(random() % (axis[1].out - row)), column,
                                 1 + static_cast<int64_t>(random() % (axis[2].out - column))};
      check_view<float>(kernels(), mode, axis, block, 16);
      check_view<double>(kernels(), mode, axis, block, 1);
    }
  }
}
CONVMAT_ON_EACH_ISA(GeometryView);

}  // namespace
}  // namespace convmat::test
