// What is prepared once and run many times, as JavaScript holds it: a function run(input, output) that is
// bound to it, the cheapest call that Node-API has, and nobody can pass it a wrong handle.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "addon/door.h"

namespace convmat::addon {

// Tells V8's collector of memory that its objects hold alive, for as long as this exists. JavaScript's thread
// only.
class ReportedMemory {
 public:
  ReportedMemory(Napi::Env env, size_t bytes) : env_(env), bytes_(static_cast<int64_t>(bytes)) {
    Napi::MemoryManagement::AdjustExternalMemory(env_, bytes_);
  }
  ~ReportedMemory() { Napi::MemoryManagement::AdjustExternalMemory(env_, -bytes_); }
  ReportedMemory(const ReportedMemory&) = delete;
  ReportedMemory& operator=(const ReportedMemory&) = delete;

 private:
  Napi::Env env_;
  int64_t bytes_;
};

// The callback behind run(input, output). It asks Node-API for what it needs and no more: a CallbackInfo
// would cost a tenth of a microsecond, and small convolutions take three.
template <class Prepared>
napi_value run_prepared(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  size_t count = 2;
  void* prepared;
  try {
    const napi_status status = napi_get_cb_info(env, info, &count, arguments, nullptr, &prepared);
    NAPI_THROW_IF_FAILED(env, status, nullptr);
    static_cast<const Prepared*>(prepared)->run(Napi::Value(env, arguments[0]),
                                                Napi::Value(env, arguments[1]));
  } catch (...) {
    throw_in_javascript(env, std::current_exception());
  }
  return nullptr;
}

// The function `callback` with `prepared` as its data, which it frees when it is collected. `tag` tells these
// functions from all others; run.packedBytes is what they hold.
template <class Prepared>
Napi::Function bind_function(Napi::Env env, const napi_type_tag& tag, napi_callback callback,
                             std::unique_ptr<Prepared> prepared, size_t packed_bytes) {
  auto run = make_function(env, "run", callback, prepared.get());
  run.Set("packedBytes", static_cast<double>(packed_bytes));
  run.TypeTag(&tag);
  const auto finalize = [](napi_env, void* data, void*) { delete static_cast<Prepared*>(data); };
  const napi_status status = napi_wrap(env, run, prepared.get(), finalize, nullptr, nullptr);
  NAPI_THROW_IF_FAILED(env, status, Napi::Function());
  prepared.release();
  return run;
}

// The function that runs `prepared`: run(input, output).
template <class Prepared>
Napi::Function bind_run(Napi::Env env, const napi_type_tag& tag, std::unique_ptr<Prepared> prepared,
                        size_t packed_bytes) {
  return bind_function(env, tag, run_prepared<Prepared>, std::move(prepared), packed_bytes);
}

// What `run` is bound to; null when it is some other value.
template <class Prepared>
Prepared* find_prepared(const Napi::Value& run, const napi_type_tag& tag) {
  void* data = nullptr;
  if (!run.IsFunction() || !run.As<Napi::Function>().CheckTypeTag(&tag) ||
      napi_unwrap(run.Env(), run, &data) != napi_ok) {
    return nullptr;
  }
  return static_cast<Prepared*>(data);
}

}  // namespace convmat::addon
