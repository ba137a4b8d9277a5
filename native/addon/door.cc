#include "addon/door.h"

#include <limits>
#include <new>
#include <stdexcept>

#include "addon/environment.h"
#include "runtime/pages.h"

namespace convmat::addon {
namespace {

struct Kind {
  napi_typedarray_type type;
  size_t bytes;
  const char* name;
};
// In the order of DType.
constexpr Kind kKinds[] = {
    {napi_float32_array, 4, "Float32Array"}, {napi_float64_array, 8, "Float64Array"},
    {napi_int8_array, 1, "Int8Array"},       {napi_uint8_array, 1, "Uint8Array"},
    {napi_int16_array, 2, "Int16Array"},     {napi_uint16_array, 2, "Uint16Array"},
    {napi_int32_array, 4, "Int32Array"},     {napi_uint32_array, 4, "Uint32Array"},
};

const Kind& kind_of(DType dtype) { return kKinds[static_cast<int>(dtype)]; }

std::string kind_name(napi_typedarray_type type) {
  for (const Kind& kind : kKinds) {
    if (kind.type == type) return kind.name;
  }
  return "another kind of array";
}

// What came instead of what was expected: its type, or a number as it is.
std::string described(const Napi::Value& value) {
  switch (value.Type()) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean:
      return "a boolean";
    case napi_number:
      return value.ToString();
    case napi_string:
      return "a string";
    case napi_symbol:
      return "a symbol";
    case napi_object:
      return "an object";
    case napi_function:
      return "a function";
    case napi_external:
      return "an external value";
    case napi_bigint:
      return "a bigint";
  }
  return "another value";
}

}  // namespace

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

Array read_array(const Napi::Value& value, const char* name) {
  Array array;
  if (napi_get_typedarray_info(value.Env(), value, &array.type, &array.length, &array.data, nullptr,
                               nullptr) != napi_ok) {
    throw Refusal(std::string(name) + ": expected a typed array, got " + described(value));
  }
  return array;
}

void* read_elements(const Napi::Value& value, DType dtype, int64_t length, const char* name) {
  const Array array = read_array(value, name);
  const Kind& kind = kind_of(dtype);
  if (array.type != kind.type)
    throw Refusal(std::string(name) + ": expected a " + kind.name + ", got " + kind_name(array.type));
  if (array.length != static_cast<uint64_t>(length)) {
    throw Refusal(std::string(name) + ": expected " + quantity(length) + " elements, got " +
                  quantity(static_cast<int64_t>(array.length)));
  }
  return array.data;
}

void* read_result(const Napi::Value& value, DType dtype, int64_t length, const char* name) {
  void* const result = read_elements(value, dtype, length, name);
  advise_huge_pages(result, static_cast<size_t>(length) * size_of(dtype));
  return result;
}

void* read_optional_elements(const Napi::Value& value, DType dtype, int64_t length, const char* name) {
  return is_nullish(value) ? nullptr : read_elements(value, dtype, length, name);
}

bool is_nullish(const Napi::Value& value) { return value.IsNull() || value.IsUndefined(); }

double read_double(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) throw Refusal(std::string(name) + ": expected a number, got " + described(value));
  return value.As<Napi::Number>();
}

int64_t read_size(const Napi::Value& value, const char* name) {
  const double number = read_double(value, name);
  if (!(number >= 0 && number <= std::numeric_limits<int32_t>::max())) {
    throw Refusal(std::string(name) + ": expected a size from 0 to 2^31 - 1, got " + described(value));
  }
  return static_cast<int64_t>(number);
}

std::string read_string(const Napi::Value& value, const char* name) {
  if (!value.IsString()) throw Refusal(std::string(name) + ": expected a string, got " + described(value));
  return value.As<Napi::String>();
}

size_t size_of(DType dtype) { return kind_of(dtype).bytes; }
napi_typedarray_type array_type(DType dtype) { return kind_of(dtype).type; }

DType dtype_of(const Array& array, const char* name) {
  for (size_t i = 0; i < sizeof kKinds / sizeof *kKinds; ++i) {
    if (kKinds[i].type == array.type) return static_cast<DType>(i);
  }
  throw Refusal(std::string(name) + ": expected a typed array of a known dtype, got " +
                kind_name(array.type));
}

}  // namespace convmat::addon
