#include "addon/door.h"

#include <new>
#include <stdexcept>

#include "addon/environment.h"

namespace convmat::addon {
Napi::Error make_error(Napi::Env env, const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const Napi::Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Environment::of(env).make_memory_error();
  } catch (const std::length_error&) {  // more elements than a container can hold
    return Environment::of(env).make_memory_error();
  } catch (const Refusal& refusal) {
    return Environment::of(env).make_argument_error(refusal.what());
  } catch (const std::exception& error) {  // nothing that the caller has done
    return Napi::Error::New(env, error.what());
  } catch (...) {
    return Napi::Error::New(env, "convmat: an exception of unknown kind");
  }
}

void throw_in_javascript(Napi::Env env, const std::exception_ptr& exception) noexcept {
  try {
    napi_throw(env, make_error(env, exception).Value());
  } catch (const Napi::Error& instead) {  // thrown while the error was made
    napi_throw(env, instead.Value());
  } catch (...) {
    napi_throw_error(env, nullptr, "convmat: an error occurred, and its message could not be made");
  }
}

Napi::Function make_function(Napi::Env env, const char* name, napi_callback callback, void* data) {
  napi_value function;
  const napi_status status = napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, data, &function);
  NAPI_THROW_IF_FAILED(env, status, Napi::Function());
  return Napi::Function(env, function);
}

std::string read_string(const Napi::Value& value, const char* name) {
  if (!value.IsString()) throw Refusal(std::string(name) + ": expected a string, got " + described(value));
  return value.As<Napi::String>();
}

}  // namespace convmat::addon
