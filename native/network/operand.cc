#include "network/operand.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "plan/arith.h"
#include "plan/dispatch.h"
#include "runtime/pages.h"
#include "runtime/thread_pool.h"

namespace convmat {
namespace {

// Weights of a chunk of work, and what each takes where memory is fresh.
constexpr int64_t kCopiedAtOnce = 1 << 16;
constexpr double kNsPerCopiedWeight = 0.5;

}  // namespace

Store::Store(int64_t arena_bytes, std::vector<int64_t> input_bytes, std::vector<int64_t> output_bytes,
             std::vector<Constant> constants, bool constants_last)
    : arena_bytes_(arena_bytes),
      input_bytes_(std::move(input_bytes)),
      output_bytes_(std::move(output_bytes)),
      constants_(std::move(constants)),
      kept_(constants_.size()),
      constants_last_(constants_last) {}

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

const Constant& Store::find_weights(int64_t index, int64_t length) const {
  const Constant& constant = find(index);
  const bool is_bytes = constant.dtype == DType::u8 && constant.length == checked_product({length, 4});
  if (!is_bytes) static_cast<void>(this->constant(index, DType::f32, length));  // refuses what is not
  return constant;
}

const float* Store::weights(int64_t index, int64_t scale, int64_t length) {
  const Constant& constant = find_weights(index, length);
  if (scale < 0 && reinterpret_cast<uintptr_t>(constant.data) % alignof(float) == 0)
    return static_cast<const float*>(constant.data);
  if (prepared_.size() < length) prepared_ = AlignedArray<float>(length);
  copy_weights(index, scale, length, prepared_.data());
  return prepared_.data();
}

void Store::copy_weights(int64_t index, int64_t scale, int64_t length, float* to) const {
  const auto* const from = static_cast<const std::byte*>(find_weights(index, length).data);
  int64_t rows = 1;
  const float* factors = nullptr;
  if (scale >= 0) {
    const Constant& constant = find(scale);
    rows = constant.length;
    if (constant.dtype != DType::f32 || rows < 1 || length % rows != 0)
      throw Refusal("network: expected a factor for each row of weights");
    factors = static_cast<const float*>(constant.data);
  }
  const int64_t row = length / rows, parts = ceil_div(row, kCopiedAtOnce);
  parallel_for(rows * parts, kNsPerCopiedWeight * static_cast<double>(length), [&](int64_t i) {
    const int64_t first = i % parts * kCopiedAtOnce, count = std::min(kCopiedAtOnce, row - first);
    float* const part = to + i / parts * row + first;
    std::memcpy(part, from + (i / parts * row + first) * 4, static_cast<size_t>(count) * 4);
    if (factors == nullptr) return;
    const float factor = factors[i / parts];
    for (int64_t k = 0; k < count; ++k) part[k] *= factor;
  });
}

void Store::expect_spent(const std::vector<int64_t>& indices) {
  spent_.assign(constants_.size(), false);
  for (const int64_t index : indices) {
    if (index < 0 || index >= static_cast<int64_t>(constants_.size()))
      throw Refusal("network: expected constants that are spent among the constants");
    spent_[static_cast<size_t>(index)] = true;
  }
}

void Store::spend(int64_t index) const {
  if (spent_.empty() || !spent_[static_cast<size_t>(index)]) return;
  const Constant& constant = find(index);
  discard(const_cast<void*>(constant.data), static_cast<size_t>(constant.length * bytes_of(constant.dtype)));
}

void Store::note_kept(int64_t index) {
  const Constant& constant = find(index);
  kept_constants_.push_back(index);
  kept_constant_bytes_ += static_cast<size_t>(constant.length * bytes_of(constant.dtype));
}

}  // namespace convmat
