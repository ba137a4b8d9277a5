// Tiles that are flagged are summed again, and no others are touched.
#include "conv/resummation.h"

#include <algorithm>
#include <set>
#include <vector>

#include "reference.h"
#include "support.h"

namespace convmat::test {
namespace {

// A packed problem, of operands that may be gone by then.
template <typename T>
void check(const KernelTable& kernels, const ConvCase& problem, int64_t rows, int64_t columns,
           Ownership ownership, uint32_t seed) {
  const DType dtype = sizeof(T) == 4 ? DType::f32 : DType::f64;
  const ConvPlan plan = plan_of(problem, ConvOp::forward, dtype);
  const std::vector<T> x = whole_numbers<T>(input_size(plan), seed);
  std::vector<T> w = whole_numbers<T>(weight_size(plan), seed + 1);
  std::vector<T> bias = whole_numbers<T>(plan.out_channels, seed + 2);
  std::vector<double> expected = reference_forward(plan, {x.begin(), x.end()}, {w.begin(), w.end()});
  const int64_t height = plan.axis[1].out, width = plan.axis[2].out, plane = height * width;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double sum = expected[i] + static_cast<double>(bias[i / plane % plan.out_channels]);
    expected[i] = std::min(std::max(sum, -50.0), 60.0);
  }

  const Context context{&kernels, nullptr, ownership};
  const Resummation<T> resummation(context, plan, pack_direct_forward, w.data(), bias.data(), -50, 60);
  if (ownership == Ownership::owned) {
    std::fill(w.begin(), w.end(), T{0});
    std::fill(bias.begin(), bias.end(), T{0});
  }
  ArenaFrame arena;
  const TileFlags flags(arena, plan, rows, columns);
  std::mt19937 random(seed);
  std::set<int64_t> flagged;  // outputs of one channel
  for (int64_t n = 0; n < plan.batch; ++n) {
    for (int64_t row = 0; row < height; row += rows) {
      for (int64_t column = 0; column < width; column += columns) {
        if (random() % 3 != 0) continue;
        // By any of its outputs.
        flags.set(n, std::min(row + static_cast<int64_t>(random() % rows), height - 1),
                  std::min(column + static_cast<int64_t>(random() % columns), width - 1));
        for (int64_t i = row; i < std::min(row + rows, height); ++i) {
          for (int64_t j = column; j < std::min(column + columns, width); ++j) {
            flagged.insert((n * height + i) * width + j);
          }
        }
      }
    }
  }
  std::vector<T> y(expected.size(), T{777});
  resummation.run(context, plan, flags, x.data(), y.data());
  for (size_t i = 0; i < y.size(); ++i) {
    const auto image = static_cast<int64_t>(i) / plane / plan.out_channels;
    const bool is_flagged = flagged.count(image * plane + static_cast<int64_t>(i) % plane) > 0;
    ASSERT_EQ(static_cast<double>(y[i]), is_flagged ? expected[i] : 777.0) << i;
  }
}

class ResummationTest : public EachIsa {};
TEST_P(ResummationTest, FlaggedTilesAloneAreSummedAgain) {
  uint32_t seed = 1;
  for (const PaddingMode mode :
       {PaddingMode::zeros, PaddingMode::circular, PaddingMode::reflect, PaddingMode::replicate}) {
    const ConvCase square{"", 2, 1, 3, 5, {{1, 1}, {13, 3, 1, 1, 1, 1}, {17, 3, 1, 1, 1, 1}}, mode};
    const ConvCase groups{"", 1, 2, 4, 6, {{1, 1}, {9, 5, 1, 1, 2, 0}, {8, 1}}, mode};
    for (const ConvCase& problem : {square, groups}) {
      for (const Ownership ownership : {Ownership::owned, Ownership::borrowed}) {
        check<float>(kernels(), problem, 4, 17, ownership, ++seed);
        check<double>(kernels(), problem, 3, 5, ownership, ++seed);
        check<float>(kernels(), problem, 1, 1, ownership, ++seed);
      }
    }
  }
}
CONVMAT_ON_EACH_ISA(ResummationTest);

}  // namespace
}  // namespace convmat::test
