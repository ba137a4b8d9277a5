#include "reference.h"

#include <ostream>

namespace convmat::test {
namespace {

int64_t source_position(PaddingMode mode, int64_t position, int64_t size) {
  if (position >= 0 && position < size) return position;
  if (mode == PaddingMode::zeros) return -1;
  if (mode == PaddingMode::replicate) return position < 0 ? 0 : size - 1;
  while (position < 0 || position >= size) {
    if (mode == PaddingMode::circular) {
      position += position < 0 ? size : -size;
    } else {
      position = position < 0 ? -position : 2 * (size - 1) - position;
    }
  }
  return position;
}

// visit(flat position in the input's space, flat tap, flat position in the output's space) for every tap that
// reads an element.
template <typename Visit>
void for_each_tap(const ConvPlan& plan, Visit visit) {
  const Axis(&a)[3] = plan.axis;
  for (int64_t i0 = 0; i0 < a[0].out; ++i0)
    for (int64_t i1 = 0; i1 < a[1].out; ++i1)
      for (int64_t i2 = 0; i2 < a[2].out; ++i2)
        for (int64_t t0 = 0; t0 < a[0].kernel; ++t0)
          for (int64_t t1 = 0; t1 < a[1].kernel; ++t1)
            for (int64_t t2 = 0; t2 < a[2].kernel; ++t2) {
              const int64_t i[3] = {i0, i1, i2}, t[3] = {t0, t1, t2};
              int64_t from = 0, tap = 0, to = 0;
              bool reads = true;
              for (int k = 0; k < 3; ++k) {
                const int64_t position = i[k] * a[k].stride + t[k] * a[k].dilation - a[k].pad_before;
                const int64_t source = source_position(plan.padding_mode, position, a[k].in);
                reads = reads && source >= 0;
                from = from * a[k].in + source;
                tap = tap * a[k].kernel + t[k];
                to = to * a[k].out + i[k];
              }
              if (reads) visit(from, tap, to);
            }
}

int64_t spatial_in(const ConvPlan& p) { return p.axis[0].in * p.axis[1].in * p.axis[2].in; }
int64_t spatial_out(const ConvPlan& p) { return p.axis[0].out * p.axis[1].out * p.axis[2].out; }
int64_t kernel_taps(const ConvPlan& p) { return p.axis[0].kernel * p.axis[1].kernel * p.axis[2].kernel; }

// visit(x index, w index, y index) for every product in y's sums.
template <typename Visit>
void for_each_product(const ConvPlan& plan, Visit visit) {
  const int64_t ic = plan.in_channels / plan.groups, oc = plan.out_channels / plan.groups;
  for (int64_t n = 0; n < plan.batch; ++n)
    for (int64_t g = 0; g < plan.groups; ++g)
      for (int64_t o = g * oc; o < (g + 1) * oc; ++o)
        for (int64_t c = 0; c < ic; ++c)
          for_each_tap(plan, [&](int64_t from, int64_t tap, int64_t to) {
            visit((n * plan.in_channels + g * ic + c) * spatial_in(plan) + from,
                  (o * ic + c) * kernel_taps(plan) + tap,
                  (n * plan.out_channels + o) * spatial_out(plan) + to);
          });
}

}  // namespace

ConvPlan plan_of(const ConvCase& problem, ConvOp op, DType dtype) {
  ConvPlan plan{};
  plan.op = op;
  plan.dtype = dtype;
  plan.algorithm = Algorithm::im2col;
  plan.padding_mode = problem.mode;
  plan.batch = problem.batch;
  plan.groups = problem.groups;
  plan.in_channels = problem.in_channels;
  plan.out_channels = problem.out_channels;
  for (int i = 0; i < 3; ++i) {
    const AxisCase& a = problem.axis[i];
    const int64_t out = (a.in + a.before + a.after - a.dilation * (a.kernel - 1) - 1) / a.stride + 1;
    plan.axis[i] = {a.in, a.kernel, a.stride, a.dilation, a.before, a.after, out};
  }
  return plan;
}

std::ostream& operator<<(std::ostream& out, const ConvCase& problem) { return out << problem.name; }

const std::vector<ConvCase>& conv_cases() {
  constexpr AxisCase one{1, 1};
  static const std::vector<ConvCase> cases = {
      {"point", 1, 1, 1, 1, {one, one, one}},
      {"no_batch", 0, 1, 2, 3, {one, {5, 3}, {5, 3}}},
      {"one_by_one", 2, 1, 5, 7, {one, {6, 1}, {11, 1}}},
      {"one_by_one_strided", 2, 1, 5, 7, {one, {6, 1, 2}, {11, 1, 3}}},
      {"one_by_one_padded", 1, 1, 3, 2, {one, {4, 1, 1, 1, 1, 2}, {5, 1, 1, 1, 2, 1}}},
      {"rank1", 2, 1, 3, 4, {one, one, {40, 5, 1, 1, 2, 2}}},
      {"rank1_long_rows", 1, 1, 2, 17, {one, one, {300, 9, 1, 2, 0, 7}}},
      {"same3x3", 2, 1, 4, 6, {one, {7, 3, 1, 1, 1, 1}, {9, 3, 1, 1, 1, 1}}},
      {"lenet2", 1, 1, 6, 16, {one, {15, 3}, {15, 3}}},
      {"strided3x3", 2, 1, 3, 15, {one, {13, 3, 2, 1, 1, 1}, {16, 3, 2, 1, 1, 1}}},
      {"strided7x7", 1, 1, 3, 28, {one, {33, 7, 2, 1, 3, 3}, {29, 7, 2, 1, 3, 3}}},
      {"stride3", 1, 1, 2, 5, {one, {17, 4, 3, 1, 2, 1}, {20, 5, 3, 1, 0, 2}}},
      {"stride_above_kernel", 1, 1, 2, 3, {one, {14, 2, 4, 1, 1, 0}, {11, 1, 3}}},
      {"dilated", 1, 1, 3, 4, {one, {12, 3, 1, 2, 2, 2}, {15, 3, 1, 3, 1, 4}}},
      {"dilated_strided", 1, 1, 2, 3, {one, {19, 3, 2, 2, 2, 1}, {23, 4, 3, 2, 3, 0}}},
      {"dilation_shares_factor", 1, 1, 2, 3, {one, {25, 3, 4, 2, 1, 2}, {31, 3, 6, 4, 5, 3}}},
      {"groups", 2, 3, 6, 9, {one, {8, 3, 1, 1, 1, 1}, {7, 3, 2, 1, 1, 0}}},
      {"depthwise", 2, 5, 5, 5, {one, {9, 3, 1, 1, 1, 1}, {70, 3, 1, 1, 1, 1}}},
      {"depth_multiplier", 1, 4, 4, 8, {one, {6, 3, 1, 1, 1, 1}, {6, 5, 1, 1, 2, 2}}},
      {"rank3", 2, 1, 3, 4, {{5, 3, 1, 1, 1, 1}, {6, 3, 2, 1, 0, 1}, {7, 2, 1, 2, 1, 1}}},
      {"rank3_strided", 1, 2, 4, 6, {{6, 2, 2}, {9, 3, 2, 2, 1, 2}, {10, 3, 3, 1, 1, 0}}},
      {"kernel_beyond_input", 1, 1, 2, 3, {one, {2, 5, 1, 1, 2, 2}, {3, 7, 1, 1, 4, 1}}},
      {"only_padding_read", 1, 1, 1, 2, {one, one, {2, 2, 5, 1, 6, 5}}},
      {"rows_in_two_blocks", 1, 1, 180, 3, {one, {5, 3, 1, 1, 1, 1}, {6, 3, 1, 1, 1, 1}}},
      {"taps_in_two_blocks", 1, 1, 2, 3, {one, {39, 41, 1, 1, 3, 3}, {38, 39, 1, 1, 4, 0}}},
      {"many_rows", 1, 1, 3, 45, {one, {6, 3, 1, 1, 1, 1}, {6, 3, 1, 1, 1, 1}}},
      {"circular", 1, 1, 3, 4, {one, {7, 3, 1, 1, 2, 1}, {9, 4, 1, 1, 1, 3}}, PaddingMode::circular},
      {"circular_whole", 1, 1, 2, 3, {one, {4, 5, 1, 1, 4, 4}, {3, 3, 2, 1, 3, 3}}, PaddingMode::circular},
      {"reflect", 2, 1, 3, 4, {one, {7, 3, 1, 1, 2, 1}, {40, 4, 1, 1, 1, 3}}, PaddingMode::reflect},
      {"reflect_strided",
       1,
       2,
       4,
       6,
       {{4, 2, 1, 1, 1, 0}, {8, 3, 2, 1, 3, 2}, {9, 3, 3, 2, 2, 4}},
       PaddingMode::reflect},
      {"replicate", 1, 1, 3, 4, {one, {7, 3, 1, 1, 5, 1}, {9, 4, 2, 2, 1, 8}}, PaddingMode::replicate},
  };
  return cases;
}

int64_t input_size(const ConvPlan& plan) { return plan.batch * plan.in_channels * spatial_in(plan); }
int64_t output_size(const ConvPlan& plan) { return plan.batch * plan.out_channels * spatial_out(plan); }
int64_t weight_size(const ConvPlan& plan) {
  return plan.out_channels * (plan.in_channels / plan.groups) * kernel_taps(plan);
}

std::vector<double> reference_forward(const ConvPlan& plan, const std::vector<double>& x,
                                      const std::vector<double>& w) {
  std::vector<double> y(output_size(plan));
  for_each_product(plan, [&](int64_t xi, int64_t wi, int64_t yi) { y[yi] += x[xi] * w[wi]; });
  return y;
}

std::vector<double> reference_input_grad(const ConvPlan& plan, const std::vector<double>& dy,
                                         const std::vector<double>& w) {
  std::vector<double> dx(input_size(plan));
  for_each_product(plan, [&](int64_t xi, int64_t wi, int64_t yi) { dx[xi] += dy[yi] * w[wi]; });
  return dx;
}

std::vector<double> reference_weight_grad(const ConvPlan& plan, const std::vector<double>& x,
                                          const std::vector<double>& dy) {
  std::vector<double> dw(weight_size(plan));
  for_each_product(plan, [&](int64_t xi, int64_t wi, int64_t yi) { dw[wi] += dy[yi] * x[xi]; });
  return dw;
}

std::vector<double> reference_unfold(const ConvPlan& plan, const std::vector<double>& x) {
  const int64_t planes = plan.batch * plan.in_channels, taps = kernel_taps(plan), outputs = spatial_out(plan);
  std::vector<double> columns(planes * taps * outputs);
  for (int64_t plane = 0; plane < planes; ++plane)
    for_each_tap(plan, [&](int64_t from, int64_t tap, int64_t to) {
      columns[(plane * taps + tap) * outputs + to] = x[plane * spatial_in(plan) + from];
    });
  return columns;
}

std::vector<double> reference_fold(const ConvPlan& plan, const std::vector<double>& columns) {
  const int64_t planes = plan.batch * plan.in_channels, taps = kernel_taps(plan), outputs = spatial_out(plan);
  std::vector<double> x(planes * spatial_in(plan));
  for (int64_t plane = 0; plane < planes; ++plane)
    for_each_tap(plan, [&](int64_t from, int64_t tap, int64_t to) {
      x[plane * spatial_in(plan) + from] += columns[(plane * taps + tap) * outputs + to];
    });
  return x;
}

}  // namespace convmat::test
