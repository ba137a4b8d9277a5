// Convolution off the event loop, as JavaScript calls it.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "addon/door.h"

namespace convmat::addon {

class AsyncCall;

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
