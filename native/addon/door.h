// The functions of door/ and of this folder as Node-API calls them, and C++ exceptions as JavaScript has
// them.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <type_traits>

#include "door/call.h"

namespace convmat::addon {

using namespace door;

// A C++ exception as JavaScript has it: a MemoryError, an ArgumentError, or the error that JavaScript threw
// itself.
Napi::Error make_error(Napi::Env env, const std::exception_ptr& exception);

// Throws it there. Without effect when JavaScript cannot run any more.
void throw_in_javascript(Napi::Env env, const std::exception_ptr& exception) noexcept;

// The Node-API callback of a function that may throw. It returns a Napi::Value, a number or a boolean, or
// nothing for undefined.
//
// Node-addon-api's own wrapper would make plain errors of all exceptions.
template <auto Function>
napi_value entry(napi_env env, napi_callback_info info) {
  try {
    const Napi::CallbackInfo call(env, info);
    using Result = decltype(Function(call));
    if constexpr (std::is_void_v<Result>) {
      Function(call);
    } else if constexpr (std::is_same_v<Result, bool>) {
      return Napi::Boolean::New(env, Function(call));
    } else if constexpr (std::is_arithmetic_v<Result>) {
      return Napi::Number::New(env, static_cast<double>(Function(call)));
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

std::string read_string(const Napi::Value& value, const char* name);

}  // namespace convmat::addon
