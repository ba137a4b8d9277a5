// A convolution by its plan, with a program to finish its result.
#include <optional>

#include "network/blocks.h"
#include "network/program.h"

namespace convmat {
namespace {

class ConvStep final : public Step {
 public:
  ConvStep(const ConvPacking& packing, std::shared_ptr<const PackedConv> packed)
      : packing_(packing), packed_(std::move(packed)) {}

  size_t bytes() const override {
    // Weights that several networks share count for the first alone.
    const size_t own = is_lent_ ? 0 : packed_->bytes();
    return sizeof(*this) + own + (program_ ? program_->bytes() : 0);
  }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    const float* const x = store.resolve<float>(input_, memory);
    float* const y = store.resolve_output<float>(output_, memory);
    if (addend_) {
      Context own = context;
      own.addend = store.resolve<float>(*addend_, memory);
      return run_conv(own, packing_.plan, *packed_, x, y);
    }
    if (!program_) return run_conv(context, packing_.plan, *packed_, x, y);
    const ProgramEpilogue epilogue(*program_, *context.kernels, store, memory, y);
    if (applies_epilogue(*packed_)) {
      Context own = context;
      own.epilogue = &epilogue;
      return run_conv(own, packing_.plan, *packed_, x, y);
    }
    run_conv(context, packing_.plan, *packed_, x, y);
    epilogue.run_all(context);
  }

  const ConvPacking packing_;
  const std::shared_ptr<const PackedConv> packed_;
  bool is_lent_ = false;
  std::optional<Program> program_;
  std::optional<Operand> addend_;  // where there is no program
  Operand input_{}, output_{};
};

}  // namespace

std::unique_ptr<Step> read_conv_step(StepSource& source) {
  Words& words = source.words;
  const std::vector<int32_t> fields = words.next_fields(kConvPlanFields.size());
  const WirePlan wire = conv_plan(fields.data(), operation(ConvOp::forward) | operation(ConvOp::input_grad));
  if (wire.conv.dtype != DType::f32) throw Refusal("plan.dtype: expected float32");
  ConvPacking packing{};
  packing.plan = wire.conv;
  const bool is_adjoint = wire.conv.op == ConvOp::input_grad;
  if (words.next_flag()) packing.plan.input_block = lanes_of(source.kernels);
  if (words.next_flag()) packing.plan.output_block = lanes_of(source.kernels);
  check_served(packing.plan);

  const int64_t biases = is_adjoint ? wire.conv.in_channels : wire.conv.out_channels;
  packing.weight = source.store.constant_index(words);
  packing.scale = source.store.constant_index(words, true);
  packing.bias = source.store.constant_index(words, true);
  const void* const bias = source.store.constant(packing.bias, DType::f32, biases);
  packing.lo = words.next();
  packing.hi = words.next();

  std::shared_ptr<const PackedConv> packed =
      source.similar == nullptr ? nullptr : source.similar->convs.find(packing);
  const bool is_lent = packed != nullptr;
  if (!is_lent) {
    const float* const weight = source.store.weights(packing.weight, packing.scale, wire.weight_length);
    packed = pack_conv(Context{&source.kernels}, packing.plan, weight, bias, packing.lo, packing.hi);
    source.store.spend(packing.weight);
  }
  source.packed.convs.add(packing, packed);
  auto step = std::make_unique<ConvStep>(packing, std::move(packed));
  step->is_lent_ = is_lent;
  const auto length = [&](int64_t elements, int64_t channels, int64_t block) {
    return block == 1 ? elements
                      : blocked_length(packing.plan.batch, channels,
                                       elements / (packing.plan.batch * channels), block);
  };
  const int64_t x_length = length(wire.input_length, wire.conv.in_channels, packing.plan.input_block);
  const int64_t y_length = length(wire.output_length, wire.conv.out_channels, packing.plan.output_block);
  const int64_t outputs = is_adjoint ? x_length : y_length;
  step->input_ = source.store.input(words, is_adjoint ? y_length : x_length);
  step->output_ = source.store.output(words, outputs);
  if (words.next_flag()) {
    if (!applies_addend(*step->packed_))
      throw Refusal("network: expected a convolution that adds an operand");
    step->addend_ = source.store.input(words, outputs);
    return step;
  }
  if (words.next_flag()) {
    step->program_.emplace(source, true);
    if (step->program_->elements() != outputs)
      throw Refusal("network: expected a program for every element of the convolution");
  }
  return step;
}

}  // namespace convmat
