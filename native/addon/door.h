// The door between JavaScript and the core: unwraps what a call brings, re-checks what could corrupt memory,
// and turns C++ exceptions into JavaScript's. Meaning has been checked in TypeScript before.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>

#include "core/plan.h"
#include "core/wire.h"

namespace convmat::addon {

// A JavaScript exception is pending already; nothing may be added to it.
class PendingException {};

// Throws unless `status` is napi_ok.
void check(napi_status status);

// A call from JavaScript. Missing arguments are undefined.
struct Call {
  static constexpr size_t kMostArguments = 8;

  Call(napi_env env, napi_callback_info info);
  napi_value operator[](size_t i) const { return arguments[i]; }

  napi_env env;
  void* bound;  // what napi_create_function was given
  napi_value arguments[kMostArguments];
};

// A JavaScript value that outlives the call which brought it. JavaScript's thread only.
class Kept {
 public:
  Kept(napi_env env, napi_value value);
  ~Kept();
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  napi_value get() const;

 private:
  napi_env env_;
  napi_ref reference_;
};

// A C++ exception as an object of JavaScript: a MemoryError, or an ArgumentError. Null when JavaScript has
// one pending.
napi_value make_error(napi_env env, const std::exception_ptr& exception);

// The Node-API callback of a function that returns null for undefined and may throw.
template <napi_value (*Function)(const Call&)>
napi_value entry(napi_env env, napi_callback_info info) {
  try {
    return Function(Call(env, info));
  } catch (...) {
    const napi_value error = make_error(env, std::current_exception());
    if (error != nullptr) napi_throw(env, error);
    return nullptr;
  }
}

// A typed array as it is at this moment. Its memory may be shared with other threads of JavaScript (they can
// race with a kernel for values, never for memory), and is gone when it is detached: then its length is 0.
struct Array {
  napi_typedarray_type type;
  size_t length;
  void* data;
};
Array read_array(napi_env env, napi_value value, const char* name);

// The memory of an array that must hold exactly `length` elements of `dtype`.
void* read_elements(napi_env env, napi_value value, DType dtype, int64_t length, const char* name);
// The same; null for a JavaScript null.
void* read_optional_elements(napi_env env, napi_value value, DType dtype, int64_t length, const char* name);

bool is_nullish(napi_env env, napi_value value);
double read_double(napi_env env, napi_value value, const char* name);
// 0 or more.
int64_t read_size(napi_env env, napi_value value, const char* name);
std::string read_string(napi_env env, napi_value value, const char* name);

size_t size_of(DType dtype);
napi_typedarray_type array_type(DType dtype);
// The dtype of a kind of typed array that has one.
DType dtype_of(const Array& array, const char* name);

}  // namespace convmat::addon
