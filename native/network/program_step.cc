#include "network/program.h"

namespace convmat {
namespace {

class ProgramStep final : public Step {
 public:
  explicit ProgramStep(StepSource& source)
      : program_(source, false), output_(source.store.output(source.words, program_.elements())) {}

  size_t bytes() const override { return sizeof(*this) + program_.bytes(); }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    std::vector<const float*> inputs;
    for (const Program::Input& input : program_.inputs()) {
      inputs.push_back(store.resolve<float>(input.operand, memory));
    }
    program_.run(context, inputs.data(), store.resolve_output<float>(output_, memory));
  }

 private:
  const Program program_;
  const Operand output_;
};

}  // namespace

std::unique_ptr<Step> read_program_step(StepSource& source) { return std::make_unique<ProgramStep>(source); }

}  // namespace convmat
