// What door/call.h asks of a host, by Node-API.
#include "addon/environment.h"
#include "door/call.h"

namespace convmat::door {
namespace {

int32_t kind_of(napi_typedarray_type type) {
  const auto kind = [](DType dtype) { return static_cast<int32_t>(dtype); };
  switch (type) {
    case napi_float32_array:
      return kind(DType::f32);
    case napi_float64_array:
      return kind(DType::f64);
    case napi_int8_array:
      return kind(DType::i8);
    case napi_uint8_array:
      return kind(DType::u8);
    case napi_int16_array:
      return kind(DType::i16);
    case napi_uint16_array:
      return kind(DType::u16);
    case napi_int32_array:
      return kind(DType::i32);
    case napi_uint32_array:
      return kind(DType::u32);
    default:
      return kOtherKind;
  }
}

}  // namespace

Array read_array(const Value& value, const char* name) {
  napi_typedarray_type type;
  Array array;
  if (napi_get_typedarray_info(value.Env(), value, &type, &array.length, &array.data, nullptr, nullptr) !=
      napi_ok) {
    throw Refusal(std::string(name) + ": expected a typed array, got " + described(value));
  }
  array.kind = kind_of(type);
  return array;
}

bool is_nullish(const Value& value) { return value.IsNull() || value.IsUndefined(); }

bool read_boolean(const Value& value) { return value.ToBoolean(); }

double read_double(const Value& value, const char* name) {
  if (!value.IsNumber()) throw Refusal(std::string(name) + ": expected a number, got " + described(value));
  return value.As<Napi::Number>();
}

std::string described(const Value& value) {
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

size_t list_length(const Value& list, const char* name) {
  if (!list.IsArray()) throw Refusal(std::string(name) + ": expected a list");
  return list.As<Napi::Array>().Length();
}

Value list_item(const Value& list, size_t index) {
  return list.As<Napi::Array>()[static_cast<uint32_t>(index)];
}

bool is_shared(const Value& array) {
  napi_value buffer = nullptr;
  bool is_own = false;
  const bool is_known =
      napi_get_typedarray_info(array.Env(), array, nullptr, nullptr, nullptr, &buffer, nullptr) == napi_ok &&
      napi_is_arraybuffer(array.Env(), buffer, &is_own) == napi_ok;
  return !is_known || !is_own;
}

const KernelTable& kernels_of(const Call& call) { return addon::Environment::of(call.Env()).kernels(); }

}  // namespace convmat::door
