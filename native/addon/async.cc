#include "addon/async.h"

#include <exception>
#include <utility>
#include <vector>

#include "addon/conv.h"
#include "addon/environment.h"
#include "plan/dispatch.h"
#include "runtime/pages.h"

namespace convmat::addon {

AsyncCall::AsyncCall(AsyncCalls* owner, const Napi::Value& callback) : Task(owner), owner_(owner) {
  if (!callback.IsFunction()) throw Refusal("callback: expected a function");
  callback_ = Napi::Persistent(callback.As<Napi::Function>());
}

void AsyncCall::run() {
  try {
    if (!is_cancelled()) work();
  } catch (...) {
    error_ = std::current_exception();
  }
  owner_->deliver(number_);
}

void AsyncCall::call_back(Napi::Env env) {
  const Napi::Function callback = callback_.Value();
  Napi::Value result = env.Undefined();
  try {
    if (error_ == nullptr && !is_cancelled()) result = take_result(env);
  } catch (...) {
    error_ = std::current_exception();
  }
  // Before anything can throw: the executor may be the last to let go of this call, and must not find them in
  // it.
  callback_.Reset();
  kept_.clear();
  if (error_ != nullptr) {
    callback.Call({make_error(env, error_).Value(), env.Undefined()});
  } else {
    callback.Call({env.Undefined(), result});
  }
}

namespace {

// One convolution.
class ConvCall final : public AsyncCall {
 public:
  ConvCall(AsyncCalls* owner, const KernelTable& kernels, const ConvPlan& plan, const ConvLengths& lengths,
           const Napi::Value& input, const Napi::Value& output, const Napi::Value& callback)
      : AsyncCall(owner, callback), kernels_(&kernels), plan_(plan) {
    const DType dtype = plan.dtype;
    input_ = read_elements(input, dtype, lengths.input, "input");
    input_bytes_ = static_cast<size_t>(lengths.input * bytes_of(dtype));
    output_ = read_result(output, dtype, lengths.output, "output");
    keep(output);
    keep(input);
  }

  void run_with(std::shared_ptr<const PackedConv> packed) { packed_ = std::move(packed); }
  void run_with(const ConvOperands& operands, const Napi::Value& weight, const Napi::Value& bias) {
    operands_ = operands;
    keep(weight);
    if (operands.bias != nullptr) keep(bias);
  }

 protected:
  void work() override {
    const auto ownership = packed_ == nullptr ? Ownership::borrowed : Ownership::owned;
    const Context context{kernels_, &cancelled(), ownership};
    if (packed_ == nullptr) {
      const ConvOperands& o = operands_;
      packed_ = pack_conv(context, plan_, o.weight, o.bias, o.lo, o.hi);
    }
    if (!is_cancelled()) run_conv(context, plan_, *packed_, input_, output_);
    packed_.reset();
    if (input_bytes_ >= kWorthwhileBytes) discard(input_, input_bytes_);
  }

  Napi::Value take_result(Napi::Env) override { return kept(0).Value(); }

 private:
  // What is given back before V8's collector gets to it: a service with many calls would hold many. The array
  // itself cannot be detached here: napi_detach_arraybuffer ends the process when its thread is being
  // terminated.
  static constexpr size_t kWorthwhileBytes = size_t{1} << 20;

  const KernelTable* const kernels_;
  const ConvPlan plan_;
  std::shared_ptr<const PackedConv> packed_;
  ConvOperands operands_{};
  void* input_ = nullptr;
  size_t input_bytes_ = 0;
  void* output_ = nullptr;
};

// The packing of weights for one plan.
class PackCall final : public AsyncCall {
 public:
  PackCall(AsyncCalls* owner, const KernelTable& kernels, const WirePlan& plan, const ConvOperands& operands,
           const Napi::CallbackInfo& call, const Napi::Value& callback)
      : AsyncCall(owner, callback), kernels_(&kernels), plan_(plan), operands_(operands) {
    keep(call[1]);
    if (operands.bias != nullptr) keep(call[2]);
  }

  void share(PreparedConv::Shared shared) {
    packed_ = std::move(shared.packed);
    reported_ = std::move(shared.reported);
  }

 protected:
  void work() override {
    if (packed_ != nullptr) return;
    const ConvOperands& o = operands_;
    packed_ = pack_conv(Context{kernels_}, plan_.conv, o.weight, o.bias, o.lo, o.hi);
  }

  Napi::Value take_result(Napi::Env env) override {
    return PreparedConv::bind(env, *kernels_, plan_, std::move(packed_), std::move(reported_));
  }

 private:
  const KernelTable* const kernels_;
  const WirePlan plan_;
  const ConvOperands operands_;
  std::shared_ptr<const PackedConv> packed_;
  std::shared_ptr<ReportedMemory> reported_;
};

}  // namespace

AsyncCalls::AsyncCalls(Napi::Env env) : env_(env), deliveries_(Deliveries::New(env, "convmat", 0, 1, this)) {
  Executor::shared();  // made now, so that starting a call cannot fail half-way
  // A process with nothing under way may end.
  deliveries_.Unref(env);
  // Hooks run in reverse order of their making: this one before the one that ends `deliveries_`.
  env.AddCleanupHook([](AsyncCalls* self) { Executor::shared().withdraw(self); }, this);
}

AsyncCalls::~AsyncCalls() = default;

uint32_t AsyncCalls::start(std::shared_ptr<AsyncCall> call) {
  last_number_ = last_number_ % INT32_MAX + 1;
  const uint32_t number = last_number_;
  call->set_number(number);
  under_way_.emplace(number, call);
  if (under_way_.size() == 1) deliveries_.Ref(env_);
  if (!Executor::shared().submit(call)) call->run();
  return number;
}

void AsyncCalls::cancel(uint32_t number) {
  const auto found = under_way_.find(number);
  if (found != under_way_.end()) found->second->cancel();
}

void AsyncCalls::deliver(uint32_t number) {
  deliveries_.NonBlockingCall(reinterpret_cast<void*>(uintptr_t{number}));
}

// `env` is null for what is left when the environment ends.
void AsyncCalls::on_delivery(Napi::Env env, Napi::Function, AsyncCalls* self, void* number) {
  if (env == nullptr) return;
  try {
    self->finish(static_cast<uint32_t>(reinterpret_cast<uintptr_t>(number)));
  } catch (...) {  // the callback threw, or the environment is ending: both are Node's to handle
    throw_in_javascript(env, std::current_exception());
  }
}

void AsyncCalls::finish(uint32_t number) {
  const auto found = under_way_.find(number);
  const std::shared_ptr<AsyncCall> call = std::move(found->second);
  under_way_.erase(found);
  if (under_way_.empty()) deliveries_.Unref(env_);
  call->call_back(env_);
}

Napi::Value run_async(const Napi::CallbackInfo& call) {
  const PreparedConv& prepared = PreparedConv::unwrap(call[0]);
  AsyncCalls& calls = Environment::of(call.Env()).async_calls();
  auto task = std::make_shared<ConvCall>(&calls, prepared.kernels(), prepared.plan(), prepared.lengths(),
                                         call[1], call[2], call[3]);
  task->run_with(prepared.packed());
  return Napi::Number::New(call.Env(), calls.start(std::move(task)));
}

Napi::Value conv_async(const Napi::CallbackInfo& call) {
  const WirePlan plan = read_conv_plan(call[0], kConvOperations);
  const ConvOperands operands = read_conv_operands(call, 1, plan);
  const ConvLengths lengths = lengths_of(plan);
  Environment& environment = Environment::of(call.Env());
  AsyncCalls& calls = environment.async_calls();
  auto task = std::make_shared<ConvCall>(&calls, environment.kernels(), plan.conv, lengths, call[5], call[6],
                                         call[7]);
  task->run_with(operands, call[1], call[2]);
  return Napi::Number::New(call.Env(), calls.start(std::move(task)));
}

Napi::Value prepare_async(const Napi::CallbackInfo& call) {
  const WirePlan plan = read_conv_plan(call[0], kConvOperations);
  const ConvOperands operands = read_conv_operands(call, 1, plan);
  Environment& environment = Environment::of(call.Env());
  AsyncCalls& calls = environment.async_calls();
  auto task = std::make_shared<PackCall>(&calls, environment.kernels(), plan, operands, call, call[6]);
  if (!is_nullish(call[5])) task->share(PreparedConv::unwrap(call[5]).shared_with(plan.conv));
  return Napi::Number::New(call.Env(), calls.start(std::move(task)));
}

void cancel(const Napi::CallbackInfo& call) {
  const int64_t number = read_size(call[0], "number");
  Environment::of(call.Env()).async_calls().cancel(static_cast<uint32_t>(number));
}

}  // namespace convmat::addon
