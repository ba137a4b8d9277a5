#include "addon/environment.h"

#include <mutex>
#include <string>

#include "addon/async.h"
#include "addon/door.h"
#include "core/arena.h"
#include "core/cpu.h"
#include "core/thread_pool.h"

namespace convmat::addon {
namespace {

napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value value;
  check(napi_get_named_property(env, object, name, &value));
  return value;
}

constexpr int64_t kMostThreads = 1024;

int read_threads(napi_env env, napi_value value) {
  const int64_t threads = read_size(env, value, "threads");
  if (threads > kMostThreads) throw Refusal("threads: expected at most " + quantity(kMostThreads));
  return static_cast<int>(threads);
}

napi_value make_number(napi_env env, double number) {
  napi_value value;
  check(napi_create_double(env, number, &value));
  return value;
}

}  // namespace

Environment::Environment(napi_env env) : env_(env), kernels_(&best_kernels()) {}
Environment::~Environment() = default;

Environment& Environment::of(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<Environment*>(data);
}

void Environment::attach(napi_env env) {
  std::unique_ptr<Environment> made(new Environment(env));
  const auto finalize = [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); };
  check(napi_set_instance_data(env, made.get(), finalize, nullptr));
  made.release();
}

AsyncCalls& Environment::async_calls() {
  if (async_calls_ == nullptr) async_calls_ = std::make_unique<AsyncCalls>(env_);
  return *async_calls_;
}

napi_value Environment::make_argument_error(const char* message) {
  return make_error(argument_error_, message);
}

napi_value Environment::make_memory_error() {
  return make_error(memory_error_, "workspace: expected enough memory, got an allocation that failed");
}

napi_value Environment::make_error(const std::optional<Kept>& constructor, const char* message) {
  napi_value text, error;
  if (napi_create_string_utf8(env_, message, NAPI_AUTO_LENGTH, &text) != napi_ok) return nullptr;
  const napi_status status = constructor
                                 ? napi_new_instance(env_, constructor->get(), 1, &text, &error)
                                 : napi_create_error(env_, nullptr, text, &error);  // before configure()
  return status == napi_ok ? error : nullptr;
}

napi_value configure(const Call& call) {
  const napi_env env = call.env;
  Environment& environment = Environment::of(env);
  const napi_value options = call[0];

  environment.argument_error_.emplace(env, property(env, options, "ArgumentError"));
  environment.memory_error_.emplace(env, property(env, options, "MemoryError"));
  const napi_value isa = property(env, options, "isa");
  if (!is_nullish(env, isa)) {
    const std::string name = read_string(env, isa, "isa");
    const KernelTable* const kernels = find_kernels(name);
    if (kernels == nullptr) throw Refusal("isa: this machine or build has no " + name);
    environment.kernels_ = kernels;
  }
  const napi_value threads = property(env, options, "threads");
  if (!is_nullish(env, threads)) {
    // The pool is the process's: a worker thread that loads the addon later must not undo what has been set
    // since.
    static std::once_flag first;
    std::call_once(first,
                   [threads = read_threads(env, threads)] { ThreadPool::shared().set_threads(threads); });
  }
  return nullptr;
}

napi_value num_threads(const Call& call) { return make_number(call.env, ThreadPool::shared().threads()); }

napi_value set_num_threads(const Call& call) {
  ThreadPool::shared().set_threads(read_threads(call.env, call[0]));
  return nullptr;
}

napi_value workspace_peak_bytes(const Call& call) {
  return make_number(call.env, static_cast<double>(arena_peak_bytes()));
}

napi_value external_bytes(const Call& call) {
  int64_t total;
  check(napi_adjust_external_memory(call.env, 0, &total));
  return make_number(call.env, static_cast<double>(total));
}

}  // namespace convmat::addon
