#include "addon/async.h"

#include <exception>
#include <utility>

#include "addon/conv.h"
#include "addon/environment.h"
#include "runtime/executor.h"
#include "runtime/pages.h"

namespace convmat::addon {
// One convolution and the arrays that it reads and writes, which are its own: nobody else has seen them, so
// that nobody transfers, shrinks or writes to them meanwhile.
class AsyncCall : public Task {
 public:
  AsyncCall(AsyncCalls* owner, const KernelTable& kernels, const ConvPlan& plan, const ConvLengths& lengths,
            const Napi::Value& input, const Napi::Value& output, const Napi::Value& callback)
      : Task(owner), owner_(owner), kernels_(&kernels), plan_(plan) {
    const DType dtype = plan.dtype;
    input_ = read_elements(input, dtype, lengths.input, "input");
    input_bytes_ = static_cast<size_t>(lengths.input) * size_of(dtype);
    output_ = read_result(output, dtype, lengths.output, "output");
    callback_ = Napi::Persistent(callback.As<Napi::Function>());
    kept_output_ = Napi::Persistent(output.As<Napi::Object>());
    kept_[0] = Napi::Persistent(input.As<Napi::Object>());
  }

  void run_with(std::shared_ptr<const PackedConv> packed) { packed_ = std::move(packed); }
  void run_with(const ConvOperands& operands, const Napi::Value& weight, const Napi::Value& bias) {
    operands_ = operands;
    kept_[1] = Napi::Persistent(weight.As<Napi::Object>());
    if (operands.bias != nullptr) kept_[2] = Napi::Persistent(bias.As<Napi::Object>());
  }
  void set_number(uint32_t number) { number_ = number; }

  void run() override {
    try {
      compute();
    } catch (...) {
      error_ = std::current_exception();
    }
    packed_.reset();
    if (input_bytes_ >= kWorthwhileBytes) discard(input_, input_bytes_);
    owner_->deliver(number_);
  }

  // After run(), on JavaScript's thread.
  void call_back(Napi::Env env) {
    const Napi::Function callback = callback_.Value();
    const Napi::Object output = kept_output_.Value();
    // Before anything can throw: the executor may be the last to let go of this call, and must not find them
    // in it.
    callback_.Reset();
    kept_output_.Reset();
    for (Napi::ObjectReference& array : kept_) array.Reset();
    if (error_ != nullptr) {
      callback.Call({make_error(env, error_).Value(), env.Undefined()});
    } else if (is_cancelled()) {
      callback.Call({env.Undefined(), env.Undefined()});
    } else {
      callback.Call({env.Undefined(), output});
    }
  }

 private:
  void compute() {
    if (is_cancelled()) return;
    const Context context{kernels_, &cancelled(), packed_ == nullptr};
    if (packed_ == nullptr) {
      const ConvOperands& o = operands_;
      packed_ = pack_conv(context, plan_, o.weight, o.bias, o.lo, o.hi);
    }
    if (!is_cancelled()) run_conv(context, plan_, *packed_, input_, output_);
  }

  // What is given back before V8's collector gets to it: a service with many calls would hold many. The array
  // itself cannot be detached here: napi_detach_arraybuffer ends the process when its thread is being
  // terminated.
  static constexpr size_t kWorthwhileBytes = size_t{1} << 20;

  bool is_cancelled() const { return cancelled().load(std::memory_order_relaxed); }

  AsyncCalls* const owner_;
  const KernelTable* const kernels_;
  const ConvPlan plan_;
  uint32_t number_ = 0;
  std::shared_ptr<const PackedConv> packed_;
  ConvOperands operands_{};
  void* input_ = nullptr;
  size_t input_bytes_ = 0;
  void* output_ = nullptr;
  std::exception_ptr error_;
  Napi::FunctionReference callback_;
  Napi::ObjectReference kept_output_;
  Napi::ObjectReference kept_[3];  // input, weight, bias
};

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
  auto task = std::make_shared<AsyncCall>(&calls, prepared.kernels(), prepared.plan(), prepared.lengths(),
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
  auto task = std::make_shared<AsyncCall>(&calls, environment.kernels(), plan.conv, lengths, call[5], call[6],
                                          call[7]);
  task->run_with(operands, call[1], call[2]);
  return Napi::Number::New(call.Env(), calls.start(std::move(task)));
}

void cancel(const Napi::CallbackInfo& call) {
  const int64_t number = read_size(call[0], "number");
  Environment::of(call.Env()).async_calls().cancel(static_cast<uint32_t>(number));
}

}  // namespace convmat::addon
