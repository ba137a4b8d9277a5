// What a call from JavaScript brings, whichever way it came: operands are unwrapped, and what could corrupt
// memory is re-checked. Meaning has been checked in TypeScript before.
//
// Each host says what a Call and a Value of it are, and how the simplest are read: Node-API's (node_api.h),
// and that of WebAssembly (wasm.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "plan/plan.h"
#include "plan/wire.h"
#include "table/table.h"

#if defined(__wasm__)
  #include "door/wasm.h"
#else
  #include "door/node_api.h"
#endif

namespace convmat::door {

// A typed array as it is at this moment. Its memory may be shared with other threads of JavaScript (they can
// race with a kernel for values, never for memory), and is gone when it is detached: then its length is 0.
struct Array {
  int32_t kind;  // a DType, or kOtherKind
  size_t length;
  void* data;
};
constexpr int32_t kOtherKind = -1;

// --- by each host ---

Array read_array(const Value& value, const char* name);
bool is_nullish(const Value& value);
bool read_boolean(const Value& value);
double read_double(const Value& value, const char* name);
// What came instead of what was expected: its type, or a number as it is.
std::string described(const Value& value);
// Of a list of values.
size_t list_length(const Value& list, const char* name);
Value list_item(const Value& list, size_t index);
// Whether other threads of JavaScript can write an array's memory.
bool is_shared(const Value& array);
// What this environment of JavaScript runs with.
const KernelTable& kernels_of(const Call& call);

// --- the same for all ---

// The memory of an array that must hold exactly `length` elements of `dtype`.
void* read_elements(const Value& value, DType dtype, int64_t length, const char* name);
// The same, of a result that is about to be written, often for the first time: it is advised to come in huge
// pages where it fills some, since page faults take longer than most of what is written there.
void* read_result(const Value& value, DType dtype, int64_t length, const char* name);
// As read_elements; null for a JavaScript null.
void* read_optional_elements(const Value& value, DType dtype, int64_t length, const char* name);
// 0 or more.
int64_t read_size(const Value& value, const char* name);

// The dtype of a kind of typed array that has one.
DType dtype_of(const Array& array, const char* name);
// The dtype, which must be float32 or float64.
DType checked_float(DType dtype, const char* name);
// As dtype_of, likewise.
DType float_dtype_of(const Array& array, const char* name);

}  // namespace convmat::door
