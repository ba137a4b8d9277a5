// Pooling by its plan.
#include "network/step.h"
#include "ops/pool.h"

namespace convmat {
namespace {

class PoolStep final : public Step {
 public:
  PoolStep(StepSource& source, bool is_max) : is_max_(is_max) {
    const std::vector<int32_t> fields = source.words.next_fields(kPoolPlanFields.size());
    const WirePoolPlan wire = pool_plan(fields.data());
    plan_ = wire.pool;
    if (!is_max && plan_.dtype != DType::f32) throw Refusal("plan.dtype: expected float32");
    input_ = source.store.input(source.words, wire.input_length, plan_.dtype);
    output_ = source.store.output(source.words, wire.output_length, plan_.dtype);
  }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    const void* const x = store.resolve<char>(input_, memory);
    void* const y = store.resolve_output<char>(output_, memory);
    if (is_max_) {
      max_pool(context, plan_, x, y, nullptr);
    } else {
      avg_pool(context, plan_, x, y);
    }
  }

 private:
  PoolPlan plan_;
  const bool is_max_;
  Operand input_, output_;
};

}  // namespace

std::unique_ptr<Step> read_max_pool_step(StepSource& source) {
  return std::make_unique<PoolStep>(source, true);
}
std::unique_ptr<Step> read_average_pool_step(StepSource& source) {
  return std::make_unique<PoolStep>(source, false);
}

}  // namespace convmat
