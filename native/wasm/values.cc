// What door/call.h and runtime/cpu.h ask of a host, by values in memory and one kernel table. All arrays are
// copies that nobody else sees.
#include "door/call.h"
#include "runtime/cpu.h"

namespace convmat {

namespace wasm {
extern const KernelTable kernels;
}

const KernelTable& best_kernels() { return wasm::kernels; }

namespace door {

Array read_array(const Value& value, const char* name) {
  if (value.kind != ValueKind::array)
    throw Refusal(std::string(name) + ": expected a typed array, got " + described(value));
  return {value.array_kind, value.length, value.data};
}

bool is_nullish(const Value& value) { return value.kind == ValueKind::null; }

bool read_boolean(const Value& value) { return value.kind == ValueKind::number && value.number != 0; }

double read_double(const Value& value, const char* name) {
  if (value.kind != ValueKind::number)
    throw Refusal(std::string(name) + ": expected a number, got " + described(value));
  return value.number;
}

std::string described(const Value& value) {
  switch (value.kind) {
    case ValueKind::null:
      return "null";
    case ValueKind::number: {
      const bool is_whole = value.number > -1e15 && value.number < 1e15 &&
                            static_cast<double>(static_cast<int64_t>(value.number)) == value.number;
      return is_whole ? quantity(static_cast<int64_t>(value.number)) : "a number";
    }
    case ValueKind::array:
      return "a typed array";
    case ValueKind::list:
      return "a list";
  }
  return "another value";
}

size_t list_length(const Value& list, const char* name) {
  if (list.kind != ValueKind::list) throw Refusal(std::string(name) + ": expected a list");
  return list.length;
}

Value list_item(const Value& list, size_t index) { return static_cast<const Value*>(list.data)[index]; }

bool is_shared(const Value&) { return false; }

const KernelTable& kernels_of(const Call&) { return best_kernels(); }

}  // namespace door
}  // namespace convmat
