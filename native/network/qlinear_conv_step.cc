// A convolution of bytes whose sums are scaled back to bytes, in float.
#include <vector>

#include "integer/conv.h"
#include "network/step.h"

namespace convmat {
namespace {

class QLinearConvStep final : public Step {
 public:
  explicit QLinearConvStep(StepSource& source) {
    Words& words = source.words;
    const std::vector<int32_t> fields = words.next_fields(kIntegerPlanFields.size());
    WireIntegerPlan wire = integer_conv_plan(fields.data());
    if (wire.conv.output_dtype == DType::i32) throw Refusal("plan.outputDType: expected int8 or uint8");
    wire.conv.scaled_in_float = true;
    const Store& store = source.store;
    const int64_t channels = wire.conv.conv.out_channels;
    const void* const weight =
        store.constant(store.constant_index(words), wire.conv.weight_dtype, wire.weight_length);
    const void* const zeros = store.constant(store.constant_index(words), DType::i32, channels);
    const void* const bias = store.constant(store.constant_index(words, true), DType::i32, channels);
    const auto* const multipliers =
        static_cast<const float*>(store.constant(store.constant_index(words), DType::f32, channels));
    const std::vector<double> scales(multipliers, multipliers + channels);
    packed_ =
        pack_integer_conv(Context{&source.kernels}, wire.conv, weight, static_cast<const int32_t*>(zeros),
                          static_cast<const int32_t*>(bias), scales.data());
    input_ = source.store.input(words, wire.input_length, wire.conv.conv.dtype);
    output_ = source.store.output(words, wire.output_length, wire.conv.output_dtype);
  }

  size_t bytes() const override { return sizeof(*this) + packed_->bytes(); }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    packed_->run(context, store.resolve<char>(input_, memory), store.resolve_output<char>(output_, memory));
  }

 private:
  std::shared_ptr<const PackedIntegerConv> packed_;
  Operand input_, output_;
};

}  // namespace

std::unique_ptr<Step> read_qlinear_conv_step(StepSource& source) {
  return std::make_unique<QLinearConvStep>(source);
}

}  // namespace convmat
