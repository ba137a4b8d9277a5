#include "network/operand.h"

#include <cstring>
#include <utility>

#include "plan/dispatch.h"

namespace convmat {

Store::Store(int64_t arena_bytes, std::vector<int64_t> input_bytes, std::vector<int64_t> output_bytes,
             std::vector<Constant> constants)
    : arena_bytes_(arena_bytes),
      input_bytes_(std::move(input_bytes)),
      output_bytes_(std::move(output_bytes)),
      constants_(std::move(constants)),
      kept_(constants_.size()) {}

const Constant& Store::find(int64_t index) const { return constants_[static_cast<size_t>(index)]; }

Operand Store::read(Words& words, DType dtype, int64_t length, bool is_written) {
  const Home home = words.next_of(Home::output);
  const auto last_of = [](size_t count) { return static_cast<int64_t>(count) - 1; };
  const int64_t last = home == Home::arena      ? 0
                       : home == Home::constant ? last_of(constants_.size())
                       : home == Home::input    ? last_of(input_bytes_.size())
                                                : last_of(output_bytes_.size());
  const int64_t index = words.next_integer(0, last);
  const int64_t offset = words.next_integer(0);
  if (is_written && home != Home::arena && home != Home::output)
    throw Refusal("network: expected a step to write to the arena or to an output");

  int64_t room = arena_bytes_;
  if (home == Home::input) room = input_bytes_[static_cast<size_t>(index)];
  if (home == Home::output) room = output_bytes_[static_cast<size_t>(index)];
  if (home == Home::constant) {
    const Constant& constant = find(index);
    if (constant.dtype != dtype) throw Refusal("network: expected a constant of the step's type");
    room = constant.length * bytes_of(dtype);
    auto& kept = kept_[static_cast<size_t>(index)];
    if (kept == nullptr) {
      kept = std::make_unique<AlignedArray<std::byte>>(room);
      if (room > 0) std::memcpy(kept->data(), constant.data, static_cast<size_t>(room));
      kept_bytes_ += kept->bytes();
    }
  }
  const int64_t bytes = checked_product({length, bytes_of(dtype)});
  if (offset % bytes_of(dtype) != 0 || offset > room || bytes > room - offset)
    throw Refusal("network: expected operands inside their memory");
  return {home, static_cast<int32_t>(index), offset};
}

const void* Store::constant(int64_t index, DType dtype, int64_t length) const {
  if (index < 0) return nullptr;
  const Constant& constant = find(index);
  if (constant.dtype != dtype || constant.length != length) {
    throw Refusal("network: expected constant " + quantity(index) + " to have " + quantity(length) +
                  " elements of the step's type");
  }
  return constant.data;
}

const float* Store::weights(int64_t index, int64_t scale, int64_t length) {
  const Constant& constant = find(index);
  const bool is_bytes = constant.dtype == DType::u8 && constant.length == checked_product({length, 4});
  if (!is_bytes) static_cast<void>(this->constant(index, DType::f32, length));  // refuses what is not
  if (scale < 0 && reinterpret_cast<uintptr_t>(constant.data) % alignof(float) == 0)
    return static_cast<const float*>(constant.data);

  if (prepared_.size() < length) prepared_ = AlignedArray<float>(length);
  float* const to = prepared_.data();
  const auto* const bytes = static_cast<const std::byte*>(constant.data);
  const auto copy = [&](int64_t first, int64_t count) {
    std::memcpy(to + first, bytes + first * 4, static_cast<size_t>(count) * 4);
  };
  if (scale < 0) {
    copy(0, length);
    return to;
  }
  const Constant& factors = find(scale);
  const int64_t rows = factors.length;
  if (factors.dtype != DType::f32 || rows < 1 || length % rows != 0)
    throw Refusal("network: expected a factor for each row of weights");
  const int64_t row = length / rows;
  for (int64_t r = 0; r < rows; ++r) {
    copy(r * row, row);
    const float factor = static_cast<const float*>(factors.data)[r];
    for (int64_t i = r * row; i < (r + 1) * row; ++i) to[i] *= factor;
  }
  return to;
}

}  // namespace convmat
