// Where a step finds what it reads and writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "network/words.h"
#include "plan/plan.h"
#include "runtime/aligned.h"

namespace convmat {

// The arena is a run's own; inputs and outputs are its caller's.
// clang-format off
#define CONVMAT_HOMES(V) \
  V(arena, "arena") \
  V(constant, "constant") \
  V(input, "input") \
  V(output, "output")
// clang-format on
#define CONVMAT_VALUE(value, name) value,
enum class Home : int32_t { CONVMAT_HOMES(CONVMAT_VALUE) };
#undef CONVMAT_VALUE

struct Operand {
  Home home;
  int32_t index;   // of the constant, input or output
  int64_t offset;  // in bytes
};

// The memory of one run.
struct Memory {
  std::byte* arena;
  const void* const* inputs;
  void* const* outputs;
};

// A list of elements that a network is made with. Floats may come as the bytes of a file, u8, four times as
// many and not aligned.
struct Constant {
  const void* data;
  DType dtype;
  int64_t length;
};

// What operands lie in, and constants that steps refer to: copies, which outlive the arrays they came in, but
// for weights that are read as they are stored, of constants that last.
class Store {
 public:
  // `constants_last`: nobody writes to the arrays, and those that are kept() stay there as long as the
  // network and all that has been lent its weights.
  Store(int64_t arena_bytes, std::vector<int64_t> input_bytes, std::vector<int64_t> output_bytes,
        std::vector<Constant> constants, bool constants_last = false);

  // An operand of `length` elements; refused where it reaches out of its home or is not aligned.
  Operand read(Words& words, DType dtype, int64_t length, bool is_written);
  Operand input(Words& words, int64_t length, DType dtype = DType::f32) {
    return read(words, dtype, length, false);
  }
  Operand output(Words& words, int64_t length, DType dtype = DType::f32) {
    return read(words, dtype, length, true);
  }

  // The index of a constant; -1 for none where that may be.
  int64_t constant_index(Words& words, bool is_optional = false) const {
    return words.next_index(constants_.size(), is_optional);
  }
  // The array itself, while the network is made; null for -1.
  const void* constant(int64_t index, DType dtype, int64_t length) const;
  // `length` floats, a row for each of the factors times that, where there are any. Where they lie otherwise
  // than they are wanted they are in memory that the next call takes again.
  const float* weights(int64_t index, int64_t scale, int64_t length);
  void copy_weights(int64_t index, int64_t scale, int64_t length, float* to) const;
  // `length` floats where they are, at whatever byte they begin.
  const std::byte* stored_weights(int64_t index, int64_t length) const {
    return static_cast<const std::byte*>(find_weights(index, length).data);
  }
  bool constants_last() const { return constants_last_; }
  // Constants that nobody reads once they are packed. Throws Refusal for an index that is none.
  void expect_spent(const std::vector<int64_t>& indices);
  // Gives the memory of such a constant back; it holds zeros afterwards.
  void spend(int64_t index) const;
  // The constants that runs read in place, and their size.
  void note_kept(int64_t index);
  const std::vector<int64_t>& kept_constants() const { return kept_constants_; }
  size_t kept_constant_bytes() const { return kept_constant_bytes_; }

  template <typename T>
  const T* resolve(const Operand& operand, const Memory& memory) const {
    return reinterpret_cast<const T*>(address(operand, memory));
  }
  template <typename T>
  T* resolve_output(const Operand& operand, const Memory& memory) const {
    std::byte* const base =
        operand.home == Home::arena ? memory.arena : static_cast<std::byte*>(memory.outputs[operand.index]);
    return reinterpret_cast<T*>(base + operand.offset);
  }

  int64_t arena_bytes() const { return arena_bytes_; }
  const std::vector<int64_t>& input_bytes() const { return input_bytes_; }
  const std::vector<int64_t>& output_bytes() const { return output_bytes_; }
  size_t kept_bytes() const { return kept_bytes_; }
  // No step is made any more: the arrays may go.
  void forget_arrays() {
    constants_.clear();
    prepared_ = AlignedArray<float>();
  }

 private:
  const std::byte* address(const Operand& operand, const Memory& memory) const {
    switch (operand.home) {
      case Home::arena:
        return memory.arena + operand.offset;
      case Home::constant:
        return kept_[static_cast<size_t>(operand.index)]->data() + operand.offset;
      case Home::input:
        return static_cast<const std::byte*>(memory.inputs[operand.index]) + operand.offset;
      case Home::output:
        return static_cast<const std::byte*>(memory.outputs[operand.index]) + operand.offset;
    }
    return nullptr;
  }
  const Constant& find(int64_t index) const;
  const Constant& find_weights(int64_t index, int64_t length) const;

  int64_t arena_bytes_;
  std::vector<int64_t> input_bytes_, output_bytes_;
  std::vector<Constant> constants_;
  std::vector<std::unique_ptr<AlignedArray<std::byte>>> kept_;  // null for those that no step reads in place
  size_t kept_bytes_ = 0;
  bool constants_last_;
  std::vector<bool> spent_;  // by constant; empty where all are read again
  std::vector<int64_t> kept_constants_;
  size_t kept_constant_bytes_ = 0;
  AlignedArray<float> prepared_;  // weights that are being packed
};

}  // namespace convmat
