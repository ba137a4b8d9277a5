// Convolution where channels lie in blocks of a vector's lanes: the same results in other places, lanes
// beyond the last channel apart, whatever the borders, strides, and numbers of channels.
#include "conv_check.h"
#include "network/blocks.h"

namespace convmat::test {
namespace {

// [image][channel][pixel] as [image][block][pixel][lane]; lanes without a channel hold `fill`.
std::vector<float> in_blocks(const std::vector<float>& x, int64_t images, int64_t channels, int64_t lanes,
                             float fill) {
  const int64_t pixels = static_cast<int64_t>(x.size()) / (images * channels);
  std::vector<float> to(static_cast<size_t>(blocked_length(images, channels, pixels, lanes)), fill);
  const int64_t blocks = ceil_div(channels, lanes);
  for (int64_t n = 0; n < images; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t p = 0; p < pixels; ++p) {
        to[((n * blocks + c / lanes) * pixels + p) * lanes + c % lanes] = x[(n * channels + c) * pixels + p];
      }
    }
  }
  return to;
}
std::vector<double> by_planes(const std::vector<float>& y, int64_t images, int64_t channels, int64_t lanes) {
  const int64_t blocks = ceil_div(channels, lanes);
  const int64_t pixels = static_cast<int64_t>(y.size()) / (images * blocks * lanes);
  std::vector<double> to;
  for (int64_t n = 0; n < images; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t p = 0; p < pixels; ++p)
        to.push_back(y[((n * blocks + c / lanes) * pixels + p) * lanes + c % lanes]);
    }
  }
  return to;
}

struct Blocked {
  bool input = true, adds = false;
};

// Whole numbers, whose sums are exact: equality.
void check(const KernelTable& kernels, const ConvCase& problem, Algorithm algorithm, Blocked blocked = {},
           const Fusion& fusion = {}, int32_t variant = 0, double tolerance = 0) {
  SCOPED_TRACE(problem.name);
  ConvPlan plan = forward_plan<float>(problem, algorithm, variant);
  const int64_t lanes = lanes_of(kernels), channels = plan.out_channels;
  const std::vector<float> x = whole_numbers<float>(input_size(plan), 1),
                           w = whole_numbers<float>(weight_size(plan), 2);
  const std::vector<float> bias = whole_numbers<float>(channels, 3),
                           addend = whole_numbers<float>(output_size(plan), 4);
  std::vector<double> expected = reference_forward(plan, widened(x), widened(w));
  for (size_t i = 0; blocked.adds && i < expected.size(); ++i) expected[i] += addend[i];
  fuse(plan, widened(bias), fusion, expected);

  plan.output_block = lanes;
  if (blocked.input) plan.input_block = lanes;
  ASSERT_TRUE(serves(plan));
  const std::vector<float> from = blocked.input ? in_blocks(x, plan.batch, plan.in_channels, lanes, -3) : x;
  const std::vector<float> added = in_blocks(addend, plan.batch, channels, lanes, 5);
  Context context{&kernels};
  if (blocked.adds) context.addend = added.data();
  const auto packed =
      pack_conv(context, plan, w.data(), fusion.bias ? bias.data() : nullptr, fusion.lo, fusion.hi);
  ASSERT_TRUE(!blocked.adds || applies_addend(*packed));
  constexpr float kGuard = -777;
  constexpr size_t kGuards = 64;
  std::vector<float> y(added.size() + 2 * kGuards, kGuard);
  run_conv(context, plan, *packed, from.data(), y.data() + kGuards);
  EXPECT_EQ(std::count(y.begin(), y.begin() + kGuards, kGuard), kGuards) << "wrote before the result";
  EXPECT_EQ(std::count(y.end() - kGuards, y.end(), kGuard), kGuards) << "wrote beyond the result";
  const std::vector<double> got =
      by_planes({y.begin() + kGuards, y.end() - kGuards}, plan.batch, channels, lanes);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], tolerance) << i;
}

ConvCase square(int64_t in_channels, int64_t out_channels, AxisCase height, AxisCase width,
                int64_t groups = 1, int64_t batch = 1) {
  return {"blocks", batch, groups, in_channels, out_channels, {{1, 1}, height, width}};
}

using ConvBlockedTest = EachIsa;

TEST_P(ConvBlockedTest, EveryEdgeOfAPanel) {
  const int64_t lanes = lanes_of(kernels());
  for (const int64_t in : {int64_t{1}, lanes - 1, lanes, 2 * lanes + 3}) {
    for (const int64_t out : {int64_t{1}, lanes, 3 * lanes, 4 * lanes + 1, 7 * lanes}) {
      for (const int64_t width : {1, 2, 7, 13, 29}) {
        check(kernels(), square(in, out, {3, 1}, {width, 1}), Algorithm::direct);
        check(kernels(), square(in, out, {4, 3, 1, 1, 1, 1}, {width, 3, 1, 1, 1, 1}), Algorithm::direct, {},
              {true, -20, 30});
      }
    }
  }
}

TEST_P(ConvBlockedTest, StridesDilationsAndBorders) {
  const int64_t lanes = lanes_of(kernels());
  for (const int64_t kernel : {1, 2, 3, 5}) {
    for (const int64_t stride : {1, 2}) {
      for (const int64_t dilation : {1, 2}) {
        for (const int64_t before : {0, 1, 4}) {
          const AxisCase height = {9, kernel, 3 - stride, dilation, before, 2},
                         width = {17, kernel, stride, dilation, before, 1};
          check(kernels(), square(lanes + 2, 2 * lanes + 1, height, width, 1, 2), Algorithm::direct);
        }
      }
    }
  }
}

// Beside weights of 768 KB, below which pixels are read where they lie.
TEST_P(ConvBlockedTest, PixelsThatLargeWeightsSkip) {
  for (const int64_t in : {438, 439}) {
    for (const auto& [down, across] : {std::pair<int64_t, int64_t>{2, 1}, {2, 2}, {3, 2}}) {
      for (const int threads : {1, 3}) {
        ThreadPool::shared().set_threads(threads);
        check(kernels(), square(in, 448, {6, 1, down}, {11, 1, across}, 1, 2), Algorithm::direct,
              {true, true}, {true, -20, 30});
        check(kernels(), square(in, 448, {5, 1, down}, {1, 1, across}), Algorithm::direct);
      }
      ThreadPool::shared().set_threads(0);
    }
  }
}

TEST_P(ConvBlockedTest, AnAddendBeforeTheBounds) {
  const int64_t lanes = lanes_of(kernels());
  for (const int64_t out : {int64_t{3}, lanes, 5 * lanes}) {
    check(kernels(), square(lanes, out, {5, 1}, {11, 1}), Algorithm::direct, {true, true}, {true, 0, kInf});
    check(kernels(), square(lanes, out, {5, 3, 2, 1, 1, 1}, {11, 3, 2, 1, 1, 1}), Algorithm::direct,
          {true, true}, {false, -9, 9});
  }
}

TEST_P(ConvBlockedTest, ImagesOfFewChannelsComeByPlanes) {
  const int64_t lanes = lanes_of(kernels());
  for (const int64_t in : {1, 3, 4}) {
    for (const int64_t kernel : {3, 7}) {
      const AxisCase axis = {23, kernel, 2, 1, kernel / 2, kernel / 2};
      check(kernels(), square(in, 2 * lanes + 5, axis, axis), Algorithm::direct, {false}, {true, 0, 6});
    }
  }
}

TEST_P(ConvBlockedTest, Depthwise) {
  const int64_t lanes = lanes_of(kernels());
  for (const int64_t channels : {int64_t{2}, lanes, 2 * lanes + 1}) {
    for (const int64_t stride : {1, 2}) {
      for (const int64_t width : {1, 3, 16, 37}) {
        const AxisCase height = {8, 3, stride, 1, 1, 1}, across = {width, 3, stride, 1, 1, 1};
        check(kernels(), square(channels, channels, height, across, channels), Algorithm::depthwise, {},
              {true, -20, 30});
      }
    }
  }
}

TEST_P(ConvBlockedTest, WinogradByPlanesAndFromBlocks) {
  const int64_t lanes = lanes_of(kernels());
  for (const bool is_blocked : {false, true}) {
    for (const int32_t tile : {2, 4}) {
      for (const int64_t in : {int64_t{3}, 2 * lanes}) {
        // Whole tiles and parts of them, in rows and in columns.
        for (const auto& [rows, columns] :
             {std::pair<int64_t, int64_t>{10, 13}, {12, 16}, {12, 15}, {9, 16}, {12, 200}}) {
          const AxisCase height = {rows, 3, 1, 1, 1, 1}, width = {columns, 3, 1, 1, 1, 1};
          check(kernels(), square(in, lanes + 3, height, width), Algorithm::winograd, {is_blocked},
                {true, -300, 300}, tile, 2e-2);
        }
      }
    }
  }
}
CONVMAT_ON_EACH_ISA(ConvBlockedTest);

}  // namespace
}  // namespace convmat::test
