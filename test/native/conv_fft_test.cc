// Convolution by Fourier transforms: tile edges, padding modes, channels and groups.
#include "conv/fft/large_tiles.h"
#include "conv_check.h"
#include "plan/serves.h"

namespace convmat::test {
namespace {

// As a plan's variant.
constexpr int32_t tile(int32_t rows, int32_t columns) { return rows << 16 | columns; }

template <typename T>
void check(const KernelTable& kernels, const ConvCase& problem, int32_t variant, const Fusion& fusion = {}) {
  const ConvPlan plan = forward_plan<T>(problem, Algorithm::fft, variant);
  const std::vector<T> x = normal_numbers<T>(input_size(plan), 1),
                       w = normal_numbers<T>(weight_size(plan), 2);
  const std::vector<T> bias = normal_numbers<T>(plan.out_channels, 3);
  std::vector<double> expected = reference_forward(plan, widened(x), widened(w));
  double largest = 0;  // before clamping: errors are those of the sums
  for (const double value : expected) largest = std::fmax(largest, std::fabs(value));
  fuse(plan, widened(bias), fusion, expected);
  const std::vector<T> y =
      run_forward(kernels, plan, x, w, fusion.bias ? bias.data() : nullptr, fusion.lo, fusion.hi);
  const double tolerance = 32 * std::numeric_limits<T>::epsilon() * largest;
  for (size_t i = 0; i < y.size(); ++i) {
    ASSERT_NEAR(y[i], expected[i], tolerance) << problem.name << " by " << variant << " at " << i;
  }
}

void check_both(const KernelTable& kernels, const ConvCase& problem, int32_t variant) {
  ASSERT_TRUE(is_fft_plan(forward_plan<float>(problem, Algorithm::fft, variant))) << problem.name;
  check<float>(kernels, problem, variant);
  check<double>(kernels, problem, variant, {false, -2, 3});
}

using ConvFftTest = EachIsa;

TEST_P(ConvFftTest, EveryEdgeOfATile) {
  // 32 - 9 + 1 = 24 and 32 - 11 + 1 = 22 outputs of a tile are right.
  for (const int64_t height : {9, 32, 33, 57}) {
    for (const int64_t width : {11, 31, 32, 33, 54, 55}) {
      check_both(kernels(), {"valid", 1, 1, 1, 1, {{1, 1}, {height, 9}, {width, 11}}}, tile(32, 32));
    }
  }
  check_both(kernels(), {"kernel as large as the tile", 1, 1, 1, 1, {{1, 1}, {33, 32}, {34, 32}}},
             tile(32, 32));
  check_both(kernels(), {"larger tile", 1, 1, 1, 1, {{1, 1}, {90, 31}, {70, 31}}}, tile(64, 64));
}
TEST_P(ConvFftTest, PaddingModes) {
  for (const PaddingMode mode :
       {PaddingMode::zeros, PaddingMode::circular, PaddingMode::reflect, PaddingMode::replicate}) {
    check_both(kernels(), {"padded", 2, 1, 1, 1, {{1, 1}, {40, 15, 1, 1, 7, 7}, {50, 13, 1, 1, 3, 9}}, mode},
               tile(32, 32));
  }
}
TEST_P(ConvFftTest, ChannelsAndGroups) {
  check_both(kernels(), {"channels", 2, 1, 3, 2, {{1, 1}, {40, 9, 1, 1, 4, 4}, {30, 9, 1, 1, 4, 4}}},
             tile(32, 32));
  check_both(kernels(), {"groups", 1, 3, 6, 6, {{1, 1}, {20, 9, 1, 1, 4, 4}, {30, 7, 1, 1, 3, 3}}},
             tile(32, 32));
}
TEST_P(ConvFftTest, NonNumbersComeOutWhereSumsPutThem) {
  for (const PaddingMode mode : {PaddingMode::zeros, PaddingMode::reflect}) {
    check_non_numbers<float>(
        kernels(),
        forward_plan<float>({"plane", 2, 1, 1, 1, {{1, 1}, {90, 9, 1, 1, 4, 4}, {70, 11, 1, 1, 5, 5}}, mode},
                            Algorithm::fft, tile(32, 32)));
  }
  check_non_numbers<double>(
      kernels(), forward_plan<double>({"channels", 1, 2, 4, 6, {{1, 1}, {60, 9}, {40, 9, 1, 1, 4, 4}}},
                                      Algorithm::fft, tile(32, 32)));
}
TEST_P(ConvFftTest, NonNumbersInLinesAndBundles) {
  check_non_numbers<float>(
      kernels(), forward_plan<float>({"lines", 1, 1, 2, 1, {{1, 1}, {3, 1}, {600, 57, 1, 1, 28, 28}}},
                                     Algorithm::fft, tile(1, 256)));
  check_non_numbers<float>(
      kernels(), forward_plan<float>({"bundle", 1, 1, 1, 2, {{1, 1}, {100, 31, 1, 1, 15, 15}, {17, 1}}},
                                     Algorithm::fft, tile(64, 1)));
}
TEST_P(ConvFftTest, HugeNumbersDoNotOverflowInTransforms) {
  check_huge_numbers<float>(kernels(),
                            forward_plan<float>({"huge", 1, 1, 1, 1, {{1, 1}, {60, 9, 1, 1, 4, 4}, {50, 9}}},
                                                Algorithm::fft, tile(32, 32)));
}
TEST_P(ConvFftTest, BitsDoNotDependOnThreads) {
  check_threads(kernels(), forward_plan<float>({"threads", 1, 1, 1, 1, {{1, 1}, {300, 15}, {301, 15}}},
                                               Algorithm::fft, tile(64, 64)));
}
TEST_P(ConvFftTest, OblongTiles) {
  check_both(kernels(), {"wide", 1, 1, 2, 3, {{1, 1}, {50, 5, 1, 1, 2, 2}, {150, 40, 1, 1, 20, 20}}},
             tile(48, 96));
  check_both(kernels(), {"tall", 1, 1, 1, 2, {{1, 1}, {300, 129}, {33, 3}}}, tile(192, 32));
}
TEST_P(ConvFftTest, Lines) {
  // 256 - 57 + 1 = 200 outputs of a tile are right.
  for (const int64_t width : {57, 255, 256, 257, 455, 456, 457, 700}) {
    check_both(kernels(), {"one line", 1, 1, 1, 1, {{1, 1}, {1, 1}, {width, 57}}}, tile(1, 256));
  }
  // Rows and columns of a line's matrix alike, and not.
  for (const int32_t n : {256, 512, 1024, 2048}) {
    check_both(kernels(), {"a longer line", 1, 1, 2, 1, {{1, 1}, {1, 1}, {3000, 200}}}, tile(1, n));
  }
  check_both(kernels(), {"kernel as long as the line", 1, 1, 1, 1, {{1, 1}, {1, 1}, {600, 256}}},
             tile(1, 256));
  check_both(kernels(),
             {"rows of an image", 2, 1, 2, 2, {{1, 1}, {7, 1, 1, 1, 1, 2}, {300, 31, 1, 1, 15, 15}}},
             tile(1, 256));
}
TEST_P(ConvFftTest, Bundles) {
  for (const int64_t width : {1, 7, 15, 16, 17, 33}) {
    check_both(kernels(), {"columns", 1, 1, 2, 3, {{1, 1}, {100, 31, 1, 1, 15, 15}, {width, 1, 1, 1, 1, 0}}},
               tile(64, 1));
  }
}
TEST_P(ConvFftTest, TilesByTheFewAndChannelsByTheTwo) {
  // Up to four pairs of tiles pass by a pair of output channels at once.
  for (const int64_t width : {40, 60, 200, 250, 300, 420}) {
    check_both(kernels(), {"channels", 1, 1, 5, 3, {{1, 1}, {20, 9}, {width, 9}}}, tile(32, 32));
  }
}
TEST_P(ConvFftTest, RefusesWhatIsNoTile) {
  const ConvCase plane = {"plane", 1, 1, 1, 1, {{1, 1}, {64, 9}, {64, 9}}},
                 line = {"line", 1, 1, 1, 1, {{1, 1}, {1, 1}, {600, 257}}};
  const auto is_fft = [](const ConvCase& problem, int32_t variant) {
    return is_fft_plan(forward_plan<float>(problem, Algorithm::fft, variant));
  };
  EXPECT_TRUE(is_fft(plane, tile(32, 32)));
  for (const int32_t variant : {0, 32, tile(32, 8), tile(80, 32), tile(1, 256), tile(32, 1)}) {
    EXPECT_FALSE(is_fft(plane, variant)) << variant;
  }
  // Kernels that a tile does not hold go by parts.
  EXPECT_TRUE(is_fft(line, tile(1, 512)));
  EXPECT_TRUE(is_fft(line, tile(1, 256)));
  for (const int32_t variant : {tile(1, 768), tile(512, 1)}) EXPECT_FALSE(is_fft(line, variant));
}
TEST_P(ConvFftTest, KernelsInParts) {
  // Kernels about a half and whole numbers of halves of a tile, and inputs likewise.
  for (const int64_t kernel : {128, 129, 130, 255, 256, 257, 385, 600}) {
    for (const int64_t extra : {0, 1, 127, 128, 255, 700}) {
      check_both(kernels(), {"one line", 1, 1, 1, 1, {{1, 1}, {1, 1}, {kernel + extra, kernel}}},
                 tile(1, 256));
    }
  }
  check_both(kernels(), {"channels, groups, images", 3, 2, 4, 6, {{1, 1}, {40, 25, 1, 1, 4, 4}, {60, 31}}},
             tile(32, 32));
  check_both(kernels(), {"rows of lines", 2, 1, 1, 2, {{1, 1}, {5, 1, 2, 1, 1, 2}, {600, 300, 1, 1, 9, 9}}},
             tile(1, 256));
  check_both(kernels(), {"bundle", 1, 1, 2, 1, {{1, 1}, {100, 41, 2, 1, 15, 15}, {37, 1, 3, 1, 2, 0}}},
             tile(32, 1));
  check_both(kernels(), {"three axes", 2, 1, 2, 1, {{9, 3, 2, 2, 1, 2}, {40, 19, 1, 1, 4, 4}, {30, 18}}},
             tile(32, 32));
}
TEST_P(ConvFftTest, StridesAndDilations) {
  for (const PaddingMode mode : {PaddingMode::zeros, PaddingMode::circular, PaddingMode::reflect}) {
    check_both(kernels(), {"plane", 1, 1, 2, 1, {{1, 1}, {70, 9, 3, 2, 7, 7}, {80, 12, 2, 3, 3, 9}}, mode},
               tile(32, 32));
  }
}
TEST_P(ConvFftTest, NonNumbersInParts) {
  check_non_numbers<float>(
      kernels(), forward_plan<float>({"lines", 2, 1, 2, 1, {{1, 1}, {3, 1}, {600, 257, 1, 1, 28, 28}}},
                                     Algorithm::fft, tile(1, 256)));
  check_non_numbers<double>(
      kernels(),
      forward_plan<double>(
          {"plane", 1, 2, 2, 4, {{1, 1}, {70, 29, 2, 1, 7, 7}, {80, 32, 1, 1, 3, 9}}, PaddingMode::reflect},
          Algorithm::fft, tile(32, 32)));
  check_huge_numbers<float>(
      kernels(), forward_plan<float>({"huge", 1, 1, 1, 1, {{1, 1}, {60, 29, 1, 1, 4, 4}, {50, 29}}},
                                     Algorithm::fft, tile(32, 32)));
}
TEST_P(ConvFftTest, BitsOfPartsDoNotDependOnThreads) {
  check_threads(kernels(), forward_plan<float>({"threads", 1, 1, 1, 1, {{1, 1}, {300, 65}, {301, 65}}},
                                               Algorithm::fft, tile(64, 64)));
}

// Of more points than tiles in caches have.
constexpr int32_t kLarge = tile(256, 288);

TEST_P(ConvFftTest, LargeTiles) {
  // Kernels and images about as large as one tile, and outputs of several. Strides leave the reference less
  // to do.
  check_both(
      kernels(),
      {"wraps zeros onto zeros", 1, 1, 1, 1, {{1, 1}, {210, 161, 13, 1, 40, 40}, {230, 181, 17, 1, 58, 50}}},
      kLarge);
  check_both(kernels(), {"kernel as large as the tile", 1, 1, 1, 1, {{1, 1}, {257, 256}, {300, 288}}},
             kLarge);
  check_both(kernels(),
             {"several tiles", 2, 1, 1, 1, {{1, 1}, {460, 31, 5, 1, 15, 15}, {600, 21, 7, 1, 0, 40}}},
             kLarge);
  check_both(kernels(),
             {"every output of several tiles", 1, 1, 1, 1, {{1, 1}, {300, 5, 1, 1, 2, 2}, {330, 4}}}, kLarge);
  check_both(kernels(),
             {"channels, groups, images", 2, 2, 4, 6, {{1, 1}, {60, 15, 1, 1, 4, 4}, {60, 11, 1, 1, 5, 5}}},
             kLarge);
  check_both(kernels(), {"dilations", 1, 1, 2, 1, {{1, 1}, {370, 9, 3, 2, 7, 7}, {380, 12, 5, 3, 3, 9}}},
             kLarge);
  check_both(kernels(), {"crops", 1, 1, 1, 1, {{1, 1}, {250, 11, 1, 1, -7, 9}, {260, 7, 1, 1, 8, -9}}},
             kLarge);
}
TEST_P(ConvFftTest, PaddingModesOfLargeTiles) {
  for (const PaddingMode mode : {PaddingMode::circular, PaddingMode::reflect, PaddingMode::replicate}) {
    check_both(kernels(),
               {"padded", 1, 1, 1, 1, {{1, 1}, {140, 65, 5, 1, 30, 32}, {150, 63, 7, 1, 31, 19}}, mode},
               kLarge);
  }
}
TEST_P(ConvFftTest, NonNumbersInLargeTiles) {
  check_non_numbers<float>(kernels(),
                           forward_plan<float>({"plane", 2, 1, 2, 1, {{1, 1}, {40, 9, 1, 1, 4, 4}, {50, 7}}},
                                               Algorithm::fft, kLarge));
  check_huge_numbers<float>(kernels(),
                            forward_plan<float>({"huge", 1, 1, 1, 1, {{1, 1}, {40, 9, 1, 1, 4, 4}, {30, 11}}},
                                                Algorithm::fft, kLarge));
}
TEST_P(ConvFftTest, BitsOfLargeTilesDoNotDependOnThreads) {
  check_threads(kernels(), forward_plan<float>({"threads", 1, 1, 2, 2, {{1, 1}, {300, 65}, {301, 65}}},
                                               Algorithm::fft, kLarge));
}
// Spectra that are made in every run, for one written channel at a time, give the same bits as those that are
// kept.
TEST_P(ConvFftTest, SpectraThatAreNotKept) {
  const ConvPlan plan = forward_plan<float>(
      {"channels", 2, 2, 4, 6, {{1, 1}, {60, 25, 1, 1, 4, 4}, {60, 31}}}, Algorithm::fft, kLarge);
  const std::vector<float> x = normal_numbers<float>(input_size(plan), 1),
                           w = normal_numbers<float>(weight_size(plan), 2),
                           bias = normal_numbers<float>(plan.out_channels, 3);
  const Context context{&kernels()};
  const auto by = [&](int64_t kept_bytes) {
    std::vector<float> y(output_size(plan));
    const Correlation c = forward_correlation(plan);
    make_large_tiles(context, c, kLarge, w.data(), bias.data(), -2, 2, kept_bytes)
        ->run(context, c, x.data(), y.data());
    return y;
  };
  EXPECT_EQ(by(0), by(kKeptSpectraBytes));
}
TEST_P(ConvFftTest, RefusesLargeTilesThatHoldNoKernel) {
  const auto is_fft = [](const ConvCase& problem, int32_t variant) {
    return is_fft_plan(forward_plan<float>(problem, Algorithm::fft, variant));
  };
  EXPECT_TRUE(is_fft({"plane", 1, 1, 1, 1, {{1, 1}, {300, 256}, {300, 9}}}, kLarge));
  EXPECT_FALSE(is_fft({"kernel", 1, 1, 1, 1, {{1, 1}, {300, 257}, {300, 9}}}, kLarge));
  EXPECT_FALSE(is_fft({"dilated kernel", 1, 1, 1, 1, {{1, 1}, {300, 9}, {3000, 145, 1, 2}}}, kLarge));
  EXPECT_FALSE(is_fft({"depth", 1, 1, 1, 1, {{2, 1}, {300, 9}, {300, 9}}}, kLarge));
  for (const int32_t variant : {tile(264, 288), tile(256, 272), tile(256, 352)}) {
    EXPECT_FALSE(is_fft({"plane", 1, 1, 1, 1, {{1, 1}, {300, 9}, {300, 9}}}, variant)) << variant;
  }
}
CONVMAT_ON_EACH_ISA(ConvFftTest);

}  // namespace
}  // namespace convmat::test
