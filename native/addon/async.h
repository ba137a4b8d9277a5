// Convolution off the event loop, as JavaScript calls it.
#pragma once

#include <napi.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <unordered_map>
#include <vector>

#include "addon/door.h"
#include "runtime/executor.h"

namespace convmat::addon {

class AsyncCalls;

// Work for one callback, and the arrays that it reads and writes, which are its own: nobody else has seen
// them, so that nobody transfers, shrinks or writes to them meanwhile.
class AsyncCall : public Task {
 public:
  AsyncCall(AsyncCalls* owner, const Napi::Value& callback);

  void set_number(uint32_t number) { number_ = number; }
  void run() final;
  // After run(), on JavaScript's thread.
  void call_back(Napi::Env env);

 protected:
  virtual void work() = 0;
  // Once, after work(); what it gives has to live without this call.
  virtual Napi::Value take_result(Napi::Env env) = 0;

  // Keeps an array alive until the callback.
  void keep(const Napi::Value& array) { kept_.push_back(Napi::Persistent(array.As<Napi::Object>())); }
  const Napi::ObjectReference& kept(size_t index) const { return kept_[index]; }
  bool is_cancelled() const { return cancelled().load(std::memory_order_relaxed); }

 private:
  AsyncCalls* const owner_;
  uint32_t number_ = 0;
  std::exception_ptr error_;
  Napi::FunctionReference callback_;
  std::vector<Napi::ObjectReference> kept_;
};

// The calls of one environment that are under way. Lives on JavaScript's thread, except for deliver().
//
// Ending an environment, worker.terminate() included: a hook withdraws its calls from the executor and waits
// for those that run, before anything they write to is freed. Finished calls that were not delivered are
// dropped.
class AsyncCalls {
 public:
  explicit AsyncCalls(Napi::Env env);
  ~AsyncCalls();
  AsyncCalls(const AsyncCalls&) = delete;
  AsyncCalls& operator=(const AsyncCalls&) = delete;

  // Starts the call; returns the number by which it can be cancelled.
  uint32_t start(std::shared_ptr<AsyncCall> call);
  void cancel(uint32_t number);

  // From any thread: the call of this number has ended; its callback is due.
  void deliver(uint32_t number);

 private:
  static void on_delivery(Napi::Env env, Napi::Function, AsyncCalls* self, void* number);
  // Carries the numbers of calls to JavaScript's thread.
  using Deliveries = Napi::TypedThreadSafeFunction<AsyncCalls, void, &AsyncCalls::on_delivery>;
  void finish(uint32_t number);

  Napi::Env env_;
  Deliveries deliveries_;
  uint32_t last_number_ = 0;
  std::unordered_map<uint32_t, std::shared_ptr<AsyncCall>> under_way_;
};

// runAsync(run, input, output, callback) → number, and
// convAsync(plan, weight, bias | null, lo, hi, input, output, callback) → number.
// Other threads read the operands and write `output`: nobody else may have seen these arrays, so that nobody
// transfers or shrinks them meanwhile, and nobody reads the operands again. callback(error, output) is called
// once, later: with an error, with the result, or with neither when the call was cancelled.
//
// prepareAsync(plan, weight, bias | null, lo, hi, similar | null, callback) → number: calls back with what
// prepare returns.
Napi::Value prepare_async(const Napi::CallbackInfo& call);
Napi::Value run_async(const Napi::CallbackInfo& call);
Napi::Value conv_async(const Napi::CallbackInfo& call);
// cancel(number): what has not started never does, what runs stops at its next tile. No effect on what has
// ended.
void cancel(const Napi::CallbackInfo& call);

}  // namespace convmat::addon
