// What the addon keeps for one JavaScript environment: the main thread has one, and so has each worker
// thread.
#pragma once

#include <napi.h>

#include <memory>

#include "table/table.h"

namespace convmat::addon {

class AsyncCalls;

class Environment {
 public:
  static Environment& of(Napi::Env env);
  // Makes it the instance data of `env`, which frees it.
  static void attach(Napi::Env env);

  const KernelTable& kernels() const { return *kernels_; }
  AsyncCalls& async_calls();

  // These throw when JavaScript cannot run any more.
  Napi::Error make_argument_error(const char* message);
  Napi::Error make_memory_error();

  ~Environment();

 private:
  friend void configure(const Napi::CallbackInfo& call);

  explicit Environment(Napi::Env env);
  Napi::Error make_error(const Napi::FunctionReference& constructor, const char* message);

  Napi::Env env_;
  const KernelTable* kernels_;
  Napi::FunctionReference argument_error_, memory_error_;
  std::unique_ptr<AsyncCalls> async_calls_;
};

// configure({ArgumentError, MemoryError, isa?, threads?}): to be called first. `isa` is for this environment,
// `threads` for the process, and heeded once.
void configure(const Napi::CallbackInfo& call);
// numThreads() and setNumThreads(n), of the whole process; n = 0 asks for the default.
Napi::Value num_threads(const Napi::CallbackInfo& call);
void set_num_threads(const Napi::CallbackInfo& call);
// workspacePeakBytes(): the most scratch memory that any one thread has held so far.
Napi::Value workspace_peak_bytes(const Napi::CallbackInfo& call);
// externalBytes(): memory that V8 counts as held by this environment's objects outside its heap.
Napi::Value external_bytes(const Napi::CallbackInfo& call);

}  // namespace convmat::addon
