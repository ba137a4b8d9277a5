// What the addon keeps for one JavaScript environment: the main thread has one, and so has each worker
// thread.
#pragma once

#include <node_api.h>

#include <memory>
#include <optional>

#include "addon/door.h"
#include "core/kernel_table.h"

namespace convmat::addon {

class AsyncCalls;

class Environment {
 public:
  static Environment& of(napi_env env);
  // Makes it the instance data of `env`, which frees it.
  static void attach(napi_env env);

  const KernelTable& kernels() const { return *kernels_; }
  AsyncCalls& async_calls();

  // Null when JavaScript cannot run any more.
  napi_value make_argument_error(const char* message);
  napi_value make_memory_error();

  ~Environment();

 private:
  friend napi_value configure(const Call& call);

  explicit Environment(napi_env env);
  napi_value make_error(const std::optional<Kept>& constructor, const char* message);

  napi_env env_;
  const KernelTable* kernels_;
  std::optional<Kept> argument_error_, memory_error_;
  std::unique_ptr<AsyncCalls> async_calls_;
};

// configure({ArgumentError, MemoryError, isa?, threads?}): to be called first. `isa` is for this environment,
// `threads` for the process, and heeded once.
napi_value configure(const Call& call);
// numThreads() and setNumThreads(n), of the whole process; n = 0 asks for the default.
napi_value num_threads(const Call& call);
napi_value set_num_threads(const Call& call);
// workspacePeakBytes(): the most scratch memory that any one thread has held so far.
napi_value workspace_peak_bytes(const Call& call);
// externalBytes(): memory that V8 counts as held by this environment's objects outside its heap.
napi_value external_bytes(const Call& call);

}  // namespace convmat::addon
