// Forward convolution as one GEMM per image and group, its B packed from the image panel by panel.
#include <cstring>

#include "conv/algorithm.h"
#include "conv/bf16_tiles.h"
#include "plan/dispatch.h"
#include "product/lowered_product.h"
#include "product/partition.h"
#include "runtime/aligned.h"
#include "table/table.h"

namespace convmat {
namespace {

template <typename T>
class Im2colForward final : public ConvRunner {
 public:
  Im2colForward(const Context& context, const ConvPlan& plan, const T* weight, const T* bias, T lo, T hi)
      : kernels_(context.kernels->of<T>()),
        group_rows_(plan.out_channels / plan.groups),
        group_weights_(group_rows_ * lower_forward(plan).rows()),
        weights_(plan.groups * group_weights_),
        bias_(bias == nullptr ? 0 : plan.out_channels),
        has_bias_(bias != nullptr),
        lo_(lo),
        hi_(hi) {
    const int64_t k = group_weights_ / group_rows_;
    const RowPanels panels(group_rows_, kernels_.gemm_blocking.mr);
    for (int64_t g = 0; g < plan.groups; ++g) {
      const int64_t first = g * group_weights_;
      pack_row_panels(kernels_, panels, k, weight + first, k, weights_.data() + first);
    }
    if (has_bias_) std::memcpy(bias_.data(), bias, sizeof(T) * static_cast<size_t>(plan.out_channels));
  }

  size_t bytes() const override { return sizeof(*this) + weights_.bytes() + bias_.bytes(); }
  bool applies_epilogue() const override { return true; }

  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    LoweredProduct<T> product{kernels_,
                              lower_forward(plan),
                              RowPanels(group_rows_, kernels_.gemm_blocking.mr),
                              nullptr,
                              nullptr,
                              lo_,
                              hi_};
    const int64_t outputs = product.lowering.outputs();
    const int64_t image_size = product.lowering.channels * product.lowering.channel_stride;
    const T* const x = static_cast<const T*>(input);
    T* const y = static_cast<T*>(output);
    const Partition partition(product, plan.batch * plan.groups);

    parallel_for(partition.count(), partition.cost_ns(), [&](int64_t index) {
      const Partition::Task task = partition[index];
      const int64_t group = task.image % plan.groups;
      LoweredProduct<T> share = product;
      share.weights = weights_.data() + group * group_weights_;
      share.bias = has_bias_ ? bias_.data() + group * group_rows_ : nullptr;
      share.epilogue = context.epilogue;
      const int64_t row = task.image * group_rows_ + product.panels.first(task.panel);
      share.run(x + task.image * image_size, y + row * outputs + task.column, outputs, task.panel,
                task.panel_end, task.column, task.column_end, context.cancelled);
    });
  }

 private:
  const Kernels<T>& kernels_;
  int64_t group_rows_, group_weights_;
  AlignedArray<T> weights_;  // [group][panel][k][height]
  AlignedArray<T> bias_;
  bool has_bias_;
  T lo_, hi_;
};

}  // namespace

std::shared_ptr<const ConvRunner> pack_im2col_forward(const Context& context, const ConvPlan& plan,
                                                      const void* weight, const void* bias, double lo,
                                                      double hi) {
  return dispatch_float(plan.dtype, [&](auto zero) -> std::shared_ptr<const ConvRunner> {
    using T = decltype(zero);
    return std::make_shared<Im2colForward<T>>(context, plan, static_cast<const T*>(weight),
                                              static_cast<const T*>(bias), static_cast<T>(lo),
                                              static_cast<T>(hi));
  });
}

namespace {

std::shared_ptr<const ConvRunner> pack_on_tiles(const Context& context, const ConvPlan& plan,
                                                const void* weight, const void* bias, double lo, double hi) {
  if (!worth_bf16_tiles(context, plan)) return nullptr;
  return pack_bf16_tiles(context, plan, weight, bias, lo, hi);
}

}  // namespace

const ConvAlgorithm im2col_algorithm = {[](const ConvPlan&) { return true; }, "any geometry",
                                        pack_either<pack_im2col_forward>, nullptr, pack_on_tiles};

}  // namespace convmat
