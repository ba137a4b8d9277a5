#include "addon/integer.h"

#include <memory>
#include <optional>
#include <utility>

#include "addon/environment.h"
#include "addon/prepared.h"
#include "door/integer.h"

namespace convmat::addon {
namespace {

constexpr napi_type_tag kPreparedTag = {0x3e5f8a1c97d2046b, 0xb1746c0f5e98d23a};

class PreparedInteger {
 public:
  PreparedInteger(Napi::Env env, const KernelTable& kernels, const WireIntegerPlan& plan,
                  std::shared_ptr<const PackedIntegerConv> packed)
      : kernels_(&kernels), plan_(plan), packed_(std::move(packed)), reported_(std::in_place, env, bytes()) {}

  size_t bytes() const { return packed_->bytes(); }
  void release() {
    check_held();
    packed_.reset();
    reported_.reset();
  }
  void run(const Napi::Value& input, const Napi::Value& output) const {
    check_held();
    const IntegerConvPlan& conv = plan_.conv;
    const void* const x = read_elements(input, conv.conv.dtype, plan_.input_length, "input");
    void* const y = read_result(output, conv.output_dtype, plan_.output_length, "output");
    packed_->run(Context{kernels_}, x, y);
  }

 private:
  void check_held() const {
    if (packed_ == nullptr) throw Refusal("prepared: expected a convolution that is not released");
  }

  const KernelTable* const kernels_;
  const WireIntegerPlan plan_;
  std::shared_ptr<const PackedIntegerConv> packed_;  // null when released
  std::optional<ReportedMemory> reported_;
};

}  // namespace

Napi::Value prepare_integer(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const WireIntegerPlan plan = read_integer_plan(call[0]);
  const KernelTable& kernels = Environment::of(env).kernels();
  auto prepared =
      std::make_unique<PreparedInteger>(env, kernels, plan, pack_integer(call, plan, Context{&kernels}));
  const size_t bytes = prepared->bytes();
  return bind_run(env, kPreparedTag, std::move(prepared), bytes);
}

void release_integer(const Napi::CallbackInfo& call) {
  auto* const prepared = find_prepared<PreparedInteger>(call[0], kPreparedTag);
  if (prepared == nullptr) throw Refusal("prepared: expected a prepared integer convolution");
  prepared->release();
}

}  // namespace convmat::addon
