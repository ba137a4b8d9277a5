#include "door/call.h"

#include <iterator>
#include <limits>

#include "plan/dispatch.h"
#include "runtime/pages.h"

namespace convmat::door {
namespace {

// In the order of DType.
constexpr const char* kKinds[] = {"Float32Array", "Float64Array", "Int8Array",  "Uint8Array",
                                  "Int16Array",   "Uint16Array",  "Int32Array", "Uint32Array"};
static_assert(std::size(kKinds) == kValues<DType>);

const char* kind_of(DType dtype) { return kKinds[static_cast<int>(dtype)]; }

const char* kind_name(int32_t kind) {
  return kind == kOtherKind ? "another kind of array" : kind_of(static_cast<DType>(kind));
}

}  // namespace

void* read_elements(const Value& value, DType dtype, int64_t length, const char* name) {
  const Array array = read_array(value, name);
  if (array.kind != static_cast<int32_t>(dtype)) {
    throw Refusal(std::string(name) + ": expected a " + kind_of(dtype) + ", got " + kind_name(array.kind));
  }
  if (array.length != static_cast<uint64_t>(length)) {
    throw Refusal(std::string(name) + ": expected " + quantity(length) + " elements, got " +
                  quantity(static_cast<int64_t>(array.length)));
  }
  return array.data;
}

void* read_result(const Value& value, DType dtype, int64_t length, const char* name) {
  void* const result = read_elements(value, dtype, length, name);
  advise_huge_pages(result, static_cast<size_t>(length * bytes_of(dtype)));
  return result;
}

void* read_optional_elements(const Value& value, DType dtype, int64_t length, const char* name) {
  return is_nullish(value) ? nullptr : read_elements(value, dtype, length, name);
}

int64_t read_size(const Value& value, const char* name) {
  const double number = read_double(value, name);
  if (!(number >= 0 && number <= std::numeric_limits<int32_t>::max())) {
    throw Refusal(std::string(name) + ": expected a size from 0 to 2^31 - 1, got " + described(value));
  }
  return static_cast<int64_t>(number);
}

DType dtype_of(const Array& array, const char* name) {
  if (array.kind != kOtherKind) return static_cast<DType>(array.kind);
  throw Refusal(std::string(name) + ": expected a typed array of a known dtype, got " +
                kind_name(array.kind));
}

DType checked_float(DType dtype, const char* name) {
  if (dtype == DType::f32 || dtype == DType::f64) return dtype;
  throw Refusal(std::string(name) + ": expected float32 or float64, got " + dtype_name(dtype));
}

DType float_dtype_of(const Array& array, const char* name) {
  return checked_float(dtype_of(array, name), name);
}

}  // namespace convmat::door
