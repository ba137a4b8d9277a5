#include "conv/conv.h"

#include <algorithm>
#include <string>

#include "conv/algorithm.h"
#include "plan/wire.h"

namespace convmat {
namespace {

// In the order of the enumeration. The choice itself was made in TypeScript and came with the plan.
#define CONVMAT_ADDRESS(value, name) &value##_algorithm,
constexpr const ConvAlgorithm* kAlgorithms[] = {CONVMAT_ALGORITHMS(CONVMAT_ADDRESS)};
#undef CONVMAT_ADDRESS

const ConvAlgorithm& algorithm_of(const ConvPlan& plan) {
  return *kAlgorithms[static_cast<int32_t>(plan.algorithm)];
}

}  // namespace

bool serves(const ConvPlan& plan) {
  if (plan.input_block > 1 || plan.output_block > 1) {
    const auto serves_blocks = algorithm_of(plan).serves_blocks;
    return serves_blocks != nullptr && serves_blocks(plan);
  }
  return algorithm_of(plan).serves(plan);
}

void check_served(const ConvPlan& plan) {
  if (serves(plan)) return;
  throw Refusal(std::string("plan.algorithm: expected ") + algorithm_of(plan).needs + " for " +
                algorithm_name(plan.algorithm));
}

bool packed_alike(const ConvPlan& a, const ConvPlan& b) {
  const bool same = a.op == b.op && a.dtype == b.dtype && a.algorithm == b.algorithm &&
                    a.variant == b.variant && a.precision == b.precision &&
                    a.padding_mode == b.padding_mode && a.groups == b.groups &&
                    a.in_channels == b.in_channels && a.out_channels == b.out_channels &&
                    a.input_block == b.input_block && a.output_block == b.output_block;
  return same && std::equal(a.axis, a.axis + 3, b.axis, [](const Axis& p, const Axis& q) {
           return p.kernel == q.kernel && p.stride == q.stride && p.dilation == q.dilation &&
                  p.pad_before == q.pad_before && p.pad_after == q.pad_after;
         });
}

std::shared_ptr<const PackedConv> pack_conv(const Context& context, const ConvPlan& plan, const void* weight,
                                            const void* bias, double lo, double hi) {
  const ConvAlgorithm& algorithm = algorithm_of(plan);
  return plan.precision == Precision::bf16 ? pack_rounded(context, plan, algorithm, weight, bias, lo, hi)
                                           : algorithm.pack(context, plan, weight, bias, lo, hi);
}

void run_conv(const Context& context, const ConvPlan& plan, const PackedConv& packed, const void* input,
              void* output) {
  // Nothing to write, and nothing to share out.
  if (plan.op == ConvOp::forward && plan.axis[0].out * plan.axis[1].out * plan.axis[2].out == 0) return;
  static_cast<const ConvRunner&>(packed).run(context, plan, input, output);
}

bool applies_epilogue(const PackedConv& packed) {
  return static_cast<const ConvRunner&>(packed).applies_epilogue();
}

bool applies_addend(const PackedConv& packed) {
  return static_cast<const ConvRunner&>(packed).applies_addend();
}

}  // namespace convmat
