// Taps packed for sparse Toeplitz products, and boxes of outputs computed by them.
#include <algorithm>
#include <limits>
#include <set>
#include <vector>

#include "conv/toeplitz/box.h"
#include "reference.h"
#include "support.h"

namespace convmat::test {
namespace {

// Every n-th weight, or all of them.
template <typename T>
std::vector<T> sparse_weights(int64_t count, int64_t every, uint32_t seed) {
  std::vector<T> w = whole_numbers<T>(count, seed);
  std::mt19937 random(seed);
  for (T& value : w) {
    if (random() % every != 0) value = 0;
  }
  return w;
}

std::vector<int64_t> all_taps(int64_t kernel) {
  std::vector<int64_t> taps;
  for (int64_t t = 0; t < kernel; ++t) taps.push_back(t);
  return taps;
}

ToeplitzWeights forward_layout(const ConvPlan& plan) {
  const int64_t written = plan.out_channels / plan.groups, read = plan.in_channels / plan.groups;
  const int64_t taps = plan.axis[0].kernel * plan.axis[1].kernel * plan.axis[2].kernel;
  return {plan.groups, written, read, written * read * taps, read * taps, taps};
}

template <typename T>
ToeplitzTaps<T> pack(const Kernels<T>& kernels, const ConvPlan& plan, const T* w, bool is_even) {
  const std::vector<int64_t> sets[3] = {all_taps(plan.axis[0].kernel), all_taps(plan.axis[1].kernel),
                                        all_taps(plan.axis[2].kernel)};
  const int64_t kernel[3] = {plan.axis[0].kernel, plan.axis[1].kernel, plan.axis[2].kernel};
  return {forward_layout(plan), w, sets, kernel, is_even, kernels.toeplitz_blocking};
}

// The weights that the blocks hold, each in one of them.
template <typename T>
std::vector<T> unpacked(const ToeplitzTaps<T>& taps, const ConvPlan& plan, std::set<ToeplitzForm>& forms) {
  const ToeplitzWeights layout = forward_layout(plan);
  const int64_t height = plan.axis[1].kernel, width = plan.axis[2].kernel;
  std::vector<T> w(static_cast<size_t>(layout.groups * layout.group_stride));
  double products = 0;
  for (int64_t g = 0; g < layout.groups; ++g) {
    std::vector<int> times(static_cast<size_t>(layout.written));
    for (const ToeplitzBlock<T>& block : taps.blocks(g)) {
      forms.insert(block.form);
      const bool is_plane = block.form == ToeplitzForm::plane;
      const int64_t count = is_plane ? height : block.channels,
                    step = is_plane ? width : layout.written_stride;
      for (int64_t c = 0; c < block.channels; ++c) ++times[block.channel + c];
      T* const first = w.data() + g * layout.group_stride + block.channel * layout.written_stride;
      for (int64_t s = 0; s < block.steps; ++s) {
        for (int64_t k = 0; k < count; ++k) first[block.taps[s] + k * step] += block.weights[s * count + k];
      }
      products += static_cast<double>(block.steps * count);
    }
    EXPECT_EQ(times, std::vector<int>(times.size(), 1));
  }
  EXPECT_EQ(taps.products(), products);
  return w;
}

template <typename T>
void check_taps(const KernelTable& table) {
  std::set<ToeplitzForm> forms;
  for (const int64_t groups : {1, 3}) {
    for (const int64_t written : {1, 2, 5, 17}) {
      for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 1}, {3, 3}, {5, 2}, {15, 15}}) {
        for (const int64_t every : {1, 3, 40}) {
          const ConvPlan plan =
              plan_of({"", 1, groups, 2 * groups, written * groups, {{2, 2}, {20, height}, {20, width}}},
                      ConvOp::forward, DType::f32);
          const std::vector<T> w = sparse_weights<T>(weight_size(plan), every, 3);
          for (const bool is_even : {false, true}) {
            ASSERT_EQ(unpacked(pack(table.of<T>(), plan, w.data(), is_even), plan, forms), w)
                << written << " channels, " << height << " x " << width << ", every " << every;
          }
        }
      }
    }
  }
  EXPECT_TRUE(forms.count(ToeplitzForm::rows) > 0 && forms.count(ToeplitzForm::plane) > 0);
}

template <typename T>
void check_box(const KernelTable& table, const ConvCase& problem, int64_t every) {
  SCOPED_TRACE(problem.name);
  const ConvPlan plan = plan_of(problem, ConvOp::forward, sizeof(T) == 4 ? DType::f32 : DType::f64);
  const std::vector<T> x = whole_numbers<T>(input_size(plan), 1),
                       bias = whole_numbers<T>(plan.out_channels, 2);
  const std::vector<T> w = sparse_weights<T>(weight_size(plan), every, 4);
  const Kernels<T>& kernels = table.of<T>();
  const ToeplitzTaps<T> taps = pack(kernels, plan, w.data(), plan.axis[1].stride == plan.axis[1].dilation);
  ToeplitzProblem<T> box_problem{};
  box_problem.kernels = &kernels;
  box_problem.taps = &taps;
  box_problem.read = plan.in_channels / plan.groups;
  box_problem.written = plan.out_channels / plan.groups;
  for (int a = 0; a < 3; ++a) {
    box_problem.axes[a] = forward_axis(plan.axis[a], plan.padding_mode);
    box_problem.out[a] = plan.axis[a].out;
  }
  box_problem.source_end = x.data() + x.size();
  box_problem.bias = bias.data();
  box_problem.lo = -40;
  box_problem.hi = std::numeric_limits<T>::infinity();
  box_problem.padding_mode = plan.padding_mode;

  ArenaFrame frame;
  const ToeplitzBox<T> box(box_problem, frame);
  std::vector<T> y(static_cast<size_t>(output_size(plan)), T{777});
  const int64_t images = std::max<int64_t>(1, plan.batch * plan.groups);
  const int64_t x_group = input_size(plan) / images, y_group = output_size(plan) / images;
  for (int64_t n = 0; n < plan.batch; ++n) {
    for (int64_t g = 0; g < plan.groups; ++g) {
      // Bands in any order: they are independent.
      for (int64_t band = box.bands() - 1; band >= 0; --band) {
        box.run(band, g, x.data() + (n * plan.groups + g) * x_group,
                y.data() + (n * plan.groups + g) * y_group);
      }
    }
  }
  const std::vector<double> sums = reference_forward(plan, {x.begin(), x.end()}, {w.begin(), w.end()});
  const int64_t plane = plan.axis[0].out * plan.axis[1].out * plan.axis[2].out;
  for (size_t i = 0; i < y.size(); ++i) {
    const double sum = sums[i] + static_cast<double>(bias[i / plane % plan.out_channels]);
    ASSERT_EQ(static_cast<double>(y[i]), std::max(sum, -40.0)) << i;
  }
}

class ToeplitzTest : public EachIsa {};
TEST_P(ToeplitzTest, BlocksHoldEachWeightOnce) {
  check_taps<float>(kernels());
  check_taps<double>(kernels());
}
TEST_P(ToeplitzTest, BoxesAreTheConvolution) {
  for (const ConvCase& problem : conv_cases()) {
    for (const int64_t every : {1, 6}) {
      check_box<float>(kernels(), problem, every);
      check_box<double>(kernels(), problem, every);
    }
  }
}
// More products than are summed in order: planes, whose steps are columns of taps; several channels; lines.
TEST_P(ToeplitzTest, LongSumsAreSumsOfSums) {
  const ConvCase cases[] = {
      {"plane", 1, 1, 1, 1, {{1, 1}, {30, 21, 1, 1, 10, 10}, {70, 27, 1, 1, 13, 13}}},
      {"tall plane", 1, 1, 1, 1, {{1, 1}, {260, 200, 1, 1, 9, 9}, {40, 3}}},
      {"plane of many channels", 2, 1, 9, 1, {{1, 1}, {12, 7}, {50, 9, 1, 1, 4, 4}}},
      {"channels", 1, 1, 3, 9, {{1, 1}, {14, 12}, {40, 13}}},
      {"line", 1, 1, 1, 1, {{1, 1}, {1, 1}, {900, 517, 1, 1, 30, 30}}},
      {"lines of a stride", 1, 2, 4, 4, {{1, 1}, {3, 1}, {900, 301, 2, 1, 30, 30}}},
  };
  for (const ConvCase& problem : cases) {
    SCOPED_TRACE(problem.name);
    for (const int64_t every : {1, 2}) {
      check_box<float>(kernels(), problem, every);
      check_box<double>(kernels(), problem, every);
    }
  }
}
CONVMAT_ON_EACH_ISA(ToeplitzTest);

}  // namespace
}  // namespace convmat::test
