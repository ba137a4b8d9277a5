// Calls and values as lib/backend/wasm writes them into the memory of WebAssembly.
#pragma once

#include <cstddef>
#include <cstdint>

namespace convmat::door {

enum class ValueKind : int32_t { null, number, array, list };

struct Value {
  ValueKind kind;
  int32_t array_kind;  // a DType, or kOtherKind
  uint32_t length;     // of an array or a list
  void* data;          // an array's elements, or a list's values
  double number;
};
static_assert(sizeof(Value) == 24, "lib/backend/wasm/instance.ts writes values of 24 bytes");

class Call {
 public:
  Call(const Value* values, size_t count) : values_(values), count_(count) {}
  const Value& operator[](size_t index) const { return index < count_ ? values_[index] : kNull; }

 private:
  static constexpr Value kNull = {ValueKind::null, 0, 0, nullptr, 0};

  const Value* const values_;
  const size_t count_;
};

}  // namespace convmat::door
