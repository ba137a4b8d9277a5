#include "addon/door.h"

#include <limits>
#include <new>

#include "addon/environment.h"

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

}  // namespace

void check(napi_status status) {
  if (status == napi_ok) return;
  if (status == napi_pending_exception || status == napi_cannot_run_js) throw PendingException();
  throw Refusal("Node-API status " + quantity(status));
}

Call::Call(napi_env env, napi_callback_info info) : env(env) {
  size_t count = kMostArguments;
  check(napi_get_cb_info(env, info, &count, arguments, nullptr, &bound));
}

Kept::Kept(napi_env env, napi_value value) : env_(env) {
  check(napi_create_reference(env, value, 1, &reference_));
}
Kept::~Kept() { napi_delete_reference(env_, reference_); }
napi_value Kept::get() const {
  napi_value value;
  check(napi_get_reference_value(env_, reference_, &value));
  return value;
}

napi_value make_error(napi_env env, const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const PendingException&) {
    return nullptr;
  } catch (const std::bad_alloc&) {
    return Environment::of(env).make_memory_error();
  } catch (const std::exception& error) {
    return Environment::of(env).make_argument_error(error.what());
  }
}

Array read_array(napi_env env, napi_value value, const char* name) {
  Array array;
  if (napi_get_typedarray_info(env, value, &array.type, &array.length, &array.data, nullptr, nullptr) !=
      napi_ok) {
    throw Refusal(std::string(name) + ": expected a typed array");
  }
  return array;
}

void* read_elements(napi_env env, napi_value value, DType dtype, int64_t length, const char* name) {
  const Array array = read_array(env, value, name);
  const Kind& kind = kind_of(dtype);
  if (array.type != kind.type) throw Refusal(std::string(name) + ": expected a " + kind.name);
  if (array.length != static_cast<uint64_t>(length)) {
    throw Refusal(std::string(name) + ": expected " + quantity(length) + " elements, got " +
                  quantity(static_cast<int64_t>(array.length)));
  }
  return array.data;
}

void* read_optional_elements(napi_env env, napi_value value, DType dtype, int64_t length, const char* name) {
  return is_nullish(env, value) ? nullptr : read_elements(env, value, dtype, length, name);
}

bool is_nullish(napi_env env, napi_value value) {
  napi_valuetype type;
  check(napi_typeof(env, value, &type));
  return type == napi_null || type == napi_undefined;
}

double read_double(napi_env env, napi_value value, const char* name) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok)
    throw Refusal(std::string(name) + ": expected a number");
  return number;
}

int64_t read_size(napi_env env, napi_value value, const char* name) {
  const double number = read_double(env, value, name);
  if (!(number >= 0 && number <= std::numeric_limits<int32_t>::max())) {
    throw Refusal(std::string(name) + ": expected a size from 0 to 2^31 - 1");
  }
  return static_cast<int64_t>(number);
}

std::string read_string(napi_env env, napi_value value, const char* name) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) {
    throw Refusal(std::string(name) + ": expected a string");
  }
  std::string text(length + 1, '\0');  // room for the terminator that Node-API writes
  check(napi_get_value_string_utf8(env, value, text.data(), text.size(), &length));
  text.resize(length);
  return text;
}

size_t size_of(DType dtype) { return kind_of(dtype).bytes; }
napi_typedarray_type array_type(DType dtype) { return kind_of(dtype).type; }

DType dtype_of(const Array& array, const char* name) {
  for (size_t i = 0; i < sizeof kKinds / sizeof *kKinds; ++i) {
    if (kKinds[i].type == array.type) return static_cast<DType>(i);
  }
  throw Refusal(std::string(name) + ": expected a typed array of a known dtype");
}

}  // namespace convmat::addon
