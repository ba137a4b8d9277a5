#include "addon/environment.h"

#include <mutex>
#include <string>

#include "addon/async.h"
#include "addon/door.h"
#include "runtime/arena.h"
#include "runtime/cpu.h"
#include "runtime/thread_pool.h"

namespace convmat::addon {
namespace {

constexpr int64_t kMostThreads = 1024;

int read_threads(const Napi::Value& value) {
  const int64_t threads = read_size(value, "threads");
  if (threads > kMostThreads) throw Refusal("threads: expected at most " + quantity(kMostThreads));
  return static_cast<int>(threads);
}

}  // namespace

Environment::Environment(Napi::Env env) : env_(env), kernels_(&best_kernels()) {}
Environment::~Environment() = default;

Environment& Environment::of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

void Environment::attach(Napi::Env env) { env.SetInstanceData(new Environment(env)); }

AsyncCalls& Environment::async_calls() {
  if (async_calls_ == nullptr) async_calls_ = std::make_unique<AsyncCalls>(env_);
  return *async_calls_;
}

Napi::Error Environment::make_argument_error(const char* message) {
  return make_error(argument_error_, message);
}

Napi::Error Environment::make_memory_error() {
  return make_error(memory_error_, "workspace: expected enough memory, got an allocation that failed");
}

Napi::Error Environment::make_error(const Napi::FunctionReference& constructor, const char* message) {
  if (constructor.IsEmpty()) return Napi::Error::New(env_, message);  // before configure()
  return Napi::Error(env_, constructor.New({Napi::String::New(env_, message)}));
}

void configure(const Napi::CallbackInfo& call) {
  Environment& environment = Environment::of(call.Env());
  const auto options = call[0].ToObject();

  environment.argument_error_ = Napi::Persistent(options.Get("ArgumentError").As<Napi::Function>());
  environment.memory_error_ = Napi::Persistent(options.Get("MemoryError").As<Napi::Function>());
  const Napi::Value isa = options.Get("isa");
  if (!is_nullish(isa)) {
    const std::string name = read_string(isa, "isa");
    const KernelTable* const kernels = find_kernels(name);
    if (kernels == nullptr) throw Refusal("isa: this machine or build has no " + name);
    environment.kernels_ = kernels;
  }
  const Napi::Value threads = options.Get("threads");
  if (!is_nullish(threads)) {
    // The pool is the process's: a worker thread that loads the addon later must not undo what has been set
    // since.
    static std::once_flag first;
    std::call_once(first, [threads = read_threads(threads)] { ThreadPool::shared().set_threads(threads); });
  }
}

Napi::Value num_threads(const Napi::CallbackInfo& call) {
  return Napi::Number::New(call.Env(), ThreadPool::shared().threads());
}

void set_num_threads(const Napi::CallbackInfo& call) {
  ThreadPool::shared().set_threads(read_threads(call[0]));
}

Napi::Value workspace_peak_bytes(const Napi::CallbackInfo& call) {
  return Napi::Number::New(call.Env(), static_cast<double>(arena_peak_bytes()));
}

Napi::Value external_bytes(const Napi::CallbackInfo& call) {
  const int64_t total = Napi::MemoryManagement::AdjustExternalMemory(call.Env(), 0);
  return Napi::Number::New(call.Env(), static_cast<double>(total));
}

}  // namespace convmat::addon
