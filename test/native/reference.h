// Convolution and its gradients by their definitions: loops in double over one term at a time. Shares no code
// with native/ but the plan's fields.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace convmat::test {

// One spatial axis of a problem: as Axis, with the output size derived unless given.
struct AxisCase {
  int64_t in, kernel, stride = 1, dilation = 1, before = 0, after = 0;
};

struct ConvCase {
  std::string name;
  int64_t batch, groups, in_channels, out_channels;
  AxisCase axis[3];
  PaddingMode mode = PaddingMode::zeros;
};

ConvPlan plan_of(const ConvCase& problem, ConvOp op, DType dtype);
std::ostream& operator<<(std::ostream& out, const ConvCase& problem);

// Problems that between them meet every path: ranks, groups, strides, dilations, one-sided padding, modes,
// sizes around tiles and blocks.
const std::vector<ConvCase>& conv_cases();

int64_t input_size(const ConvPlan& plan);
int64_t output_size(const ConvPlan& plan);
int64_t weight_size(const ConvPlan& plan);

std::vector<double> reference_forward(const ConvPlan& plan, const std::vector<double>& x,
                                      const std::vector<double>& w);
std::vector<double> reference_input_grad(const ConvPlan& plan, const std::vector<double>& dy,
                                         const std::vector<double>& w);
std::vector<double> reference_weight_grad(const ConvPlan& plan, const std::vector<double>& x,
                                          const std::vector<double>& dy);
// columns[n][c][tap][outputs]
std::vector<double> reference_unfold(const ConvPlan& plan, const std::vector<double>& x);
std::vector<double> reference_fold(const ConvPlan& plan, const std::vector<double>& columns);

}  // namespace convmat::test
