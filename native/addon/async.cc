#include "addon/async.h"

#include <exception>
#include <optional>
#include <utility>

#include "addon/conv.h"
#include "addon/environment.h"
#include "core/executor.h"
#include "core/pages.h"

namespace convmat::addon {
// One convolution and the arrays that it reads and writes, which are its own: nobody else has seen them, so
// that nobody transfers, shrinks or writes to them meanwhile.
class AsyncCall : public Task {
 public:
  AsyncCall(napi_env env, AsyncCalls* owner, const KernelTable& kernels, const ConvPlan& plan,
            const ConvLengths& lengths, napi_value input, napi_value output, napi_value callback)
      : Task(owner), owner_(owner), kernels_(&kernels), plan_(plan) {
    const DType dtype = plan.dtype;
    input_ = read_elements(env, input, dtype, lengths.input, "input");
    input_bytes_ = static_cast<size_t>(lengths.input) * size_of(dtype);
    output_ = read_elements(env, output, dtype, lengths.output, "output");
    callback_.emplace(env, callback);
    kept_output_.emplace(env, output);
    kept_[0].emplace(env, input);
  }

  void run_with(std::shared_ptr<const PackedConv> packed) { packed_ = std::move(packed); }
  void run_with(const ConvOperands& operands, napi_env env, napi_value weight, napi_value bias) {
    operands_ = operands;
    kept_[1].emplace(env, weight);
    if (operands.bias != nullptr) kept_[2].emplace(env, bias);
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
  void call_back(napi_env env) {
    napi_value arguments[2], receiver, ignored;
    check(napi_get_undefined(env, &receiver));
    arguments[0] = arguments[1] = receiver;
    if (error_ != nullptr) {
      arguments[0] = make_error(env, error_);
    } else if (!is_cancelled()) {
      arguments[1] = kept_output_->get();
    }
    const napi_value callback = callback_->get();
    // Before anything can throw: the executor may be the last to let go of this call, and must not find them
    // in it.
    callback_.reset();
    kept_output_.reset();
    for (std::optional<Kept>& array : kept_) array.reset();
    check(napi_call_function(env, receiver, callback, 2, arguments, &ignored));
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
  std::optional<Kept> callback_, kept_output_;
  std::optional<Kept> kept_[3];  // input, weight, bias
};

AsyncCalls::AsyncCalls(napi_env env) : env_(env) {
  Executor::shared();  // made now, so that starting a call cannot fail half-way
  napi_value name;
  check(napi_create_string_utf8(env, "convmat", NAPI_AUTO_LENGTH, &name));
  check(napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this,
                                        on_delivery, &deliveries_));
  // A process with nothing under way may end.
  check(napi_unref_threadsafe_function(env, deliveries_));
  // Hooks run in reverse order of their making: this one before the one that ends `deliveries_`.
  check(napi_add_env_cleanup_hook(
      env, [](void* self) { Executor::shared().withdraw(self); }, this));
}

AsyncCalls::~AsyncCalls() = default;

uint32_t AsyncCalls::start(std::shared_ptr<AsyncCall> call) {
  last_number_ = last_number_ % INT32_MAX + 1;
  const uint32_t number = last_number_;
  call->set_number(number);
  under_way_.emplace(number, call);
  if (under_way_.size() == 1) napi_ref_threadsafe_function(env_, deliveries_);
  if (!Executor::shared().submit(call)) call->run();
  return number;
}

void AsyncCalls::cancel(uint32_t number) {
  const auto found = under_way_.find(number);
  if (found != under_way_.end()) found->second->cancel();
}

void AsyncCalls::deliver(uint32_t number) {
  napi_call_threadsafe_function(deliveries_, reinterpret_cast<void*>(uintptr_t{number}),
                                napi_tsfn_nonblocking);
}

// `env` is null for what is left when the environment ends.
void AsyncCalls::on_delivery(napi_env env, napi_value, void* self, void* number) {
  if (env == nullptr) return;
  try {
    static_cast<AsyncCalls*>(self)->finish(static_cast<uint32_t>(reinterpret_cast<uintptr_t>(number)));
  } catch (...) {  // the callback threw, or the environment is ending: both are Node's to handle
  }
}

void AsyncCalls::finish(uint32_t number) {
  const auto found = under_way_.find(number);
  const std::shared_ptr<AsyncCall> call = std::move(found->second);
  under_way_.erase(found);
  if (under_way_.empty()) napi_unref_threadsafe_function(env_, deliveries_);
  call->call_back(env_);
}

napi_value run_async(const Call& call) {
  const PreparedConv& prepared = PreparedConv::unwrap(call.env, call[0]);
  AsyncCalls& calls = Environment::of(call.env).async_calls();
  auto task = std::make_shared<AsyncCall>(call.env, &calls, prepared.kernels(), prepared.plan(),
                                          prepared.lengths(), call[1], call[2], call[3]);
  task->run_with(prepared.packed());
  napi_value number;
  check(napi_create_uint32(call.env, calls.start(std::move(task)), &number));
  return number;
}

napi_value conv_async(const Call& call) {
  const WirePlan plan = read_conv_plan(call.env, call[0], kConvOperations);
  const ConvOperands operands = read_conv_operands(call, 1, plan);
  const ConvLengths lengths = lengths_of(plan);
  Environment& environment = Environment::of(call.env);
  AsyncCalls& calls = environment.async_calls();
  auto task = std::make_shared<AsyncCall>(call.env, &calls, environment.kernels(), plan.conv, lengths,
                                          call[5], call[6], call[7]);
  task->run_with(operands, call.env, call[1], call[2]);
  napi_value number;
  check(napi_create_uint32(call.env, calls.start(std::move(task)), &number));
  return number;
}

napi_value cancel(const Call& call) {
  const int64_t number = read_size(call.env, call[0], "number");
  Environment::of(call.env).async_calls().cancel(static_cast<uint32_t>(number));
  return nullptr;
}

}  // namespace convmat::addon
