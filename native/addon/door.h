// The door between JavaScript and the core: unwraps what a call brings, re-checks what could corrupt memory,
// and turns C++ exceptions into JavaScript's. Meaning has been checked in TypeScript before.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <type_traits>

#include "plan/plan.h"
#include "plan/wire.h"

namespace convmat::addon {

// A C++ exception as JavaScript has it: a MemoryError, an ArgumentError, or the error that JavaScript threw
// itself.
Napi::Error make_error(Napi::Env env, const std::exception_ptr& exception);

// Throws it there. Without effect when JavaScript cannot run any more.
void throw_in_javascript(Napi::Env env, const std::exception_ptr& exception) noexcept;

// The Node-API callback of a function that may throw. It returns a Napi::Value, or nothing for undefined.
//
// Node-addon-api's own wrapper would make plain errors of all exceptions.
template <auto Function>
napi_value entry(napi_env env, napi_callback_info info) {
  try {
    const Napi::CallbackInfo call(env, info);
    if constexpr (std::is_void_v<decltype(Function(call))>) {
      Function(call);
    } else {
      return Function(call);
    }
  } catch (...) {
    throw_in_javascript(env, std::current_exception());
  }
  return nullptr;
}

// A function of JavaScript, which finds `data` in what it is called with.
Napi::Function make_function(Napi::Env env, const char* name, napi_callback callback, void* data = nullptr);

// A typed array as it is at this moment. Its memory may be shared with other threads of JavaScript (they can
// race with a kernel for values, never for memory), and is gone when it is detached: then its length is 0.
struct Array {
  napi_typedarray_type type;
  size_t length;
  void* data;
};
Array read_array(const Napi::Value& value, const char* name);

// The memory of an array that must hold exactly `length` elements of `dtype`.
void* read_elements(const Napi::Value& value, DType dtype, int64_t length, const char* name);
// The same, of a result that is about to be written, often for the first time: it is advised to come in huge
// pages where it fills some, since page faults take longer than most of what is written there.
void* read_result(const Napi::Value& value, DType dtype, int64_t length, const char* name);
// As read_elements; null for a JavaScript null.
void* read_optional_elements(const Napi::Value& value, DType dtype, int64_t length, const char* name);

bool is_nullish(const Napi::Value& value);
double read_double(const Napi::Value& value, const char* name);
// 0 or more.
int64_t read_size(const Napi::Value& value, const char* name);
std::string read_string(const Napi::Value& value, const char* name);

size_t size_of(DType dtype);
napi_typedarray_type array_type(DType dtype);
// The dtype of a kind of typed array that has one.
DType dtype_of(const Array& array, const char* name);

}  // namespace convmat::addon
