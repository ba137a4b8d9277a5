// What the fuzz targets share. An input is a problem: its bytes are the problem's numbers, a seed for the
// operands among them, so that a short input is a whole call. A target gives it to every instruction set of
// the CPU and aborts when a result is not the definition's; sanitizers abort at what no call may do.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <iostream>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "plan/plan.h"
#include "runtime/cpu.h"

namespace convmat::test {

// Elements of any one operand. Small, since definitions are slow and a fault shows at any size.
constexpr int64_t kMostElements = 1 << 14;
// Products of one problem.
constexpr int64_t kMostProducts = 1 << 15;

inline void demand(bool holds, const std::string& what) {
  if (holds) return;
  std::cerr << "fuzz: " << what << std::endl;
  std::abort();
}

// Names that are wide enough for any of their fields, in [least, most].
inline int64_t draw(FuzzedDataProvider& in, int64_t least, int64_t most) {
  return in.ConsumeIntegralInRange<int64_t>(least, most);
}

// Sizes are small as a rule, and pass the tiles of every kernel now and then.
inline int64_t draw_size(FuzzedDataProvider& in, int64_t least, int64_t most) {
  return draw(in, least, in.ConsumeProbability<float>() < 0.75f ? std::min<int64_t>(most, least + 8) : most);
}

inline int64_t product(std::initializer_list<int64_t> sizes) {
  int64_t all = 1;
  for (const int64_t size : sizes) {
    if (size == 0) return 0;
    if (all > (int64_t{1} << 40) / size) return int64_t{1} << 40;  // larger than any limit
    all *= size;
  }
  return all;
}

// Elements that begin anywhere a typed array may, and end where their memory does, for a sanitizer to see
// what goes further.
template <typename T>
class Operand {
 public:
  Operand(int64_t size, int64_t offset) : offset_(offset), memory_(static_cast<size_t>(size + offset)) {}

  T* data() { return memory_.data() + offset_; }
  const T* data() const { return memory_.data() + offset_; }
  int64_t size() const { return static_cast<int64_t>(memory_.size()) - offset_; }
  T& operator[](int64_t i) { return memory_[static_cast<size_t>(offset_ + i)]; }
  const T& operator[](int64_t i) const { return memory_[static_cast<size_t>(offset_ + i)]; }
  std::vector<double> widened() const { return {memory_.begin() + offset_, memory_.end()}; }

 private:
  int64_t offset_;
  std::vector<T> memory_;
};

// Whole numbers from -8 to 8: sums of their products are exact in any order.
template <typename T>
Operand<T> whole_operand(int64_t size, int64_t offset, uint32_t seed) {
  Operand<T> operand(size, offset);
  std::mt19937 random(seed);
  for (int64_t i = 0; i < size; ++i) operand[i] = static_cast<T>(static_cast<int>(random() % 17) - 8);
  return operand;
}

// The whole range of an integer type, its ends more often than others.
template <typename T>
Operand<T> any_integers(int64_t size, int64_t offset, uint32_t seed) {
  Operand<T> operand(size, offset);
  std::mt19937 random(seed);
  for (int64_t i = 0; i < size; ++i) {
    const uint32_t bits = random();
    operand[i] = bits % 8 == 0   ? std::numeric_limits<T>::min()
                 : bits % 8 == 1 ? std::numeric_limits<T>::max()
                                 : static_cast<T>(random());
  }
  return operand;
}

// As they cross from TypeScript.
inline std::vector<int32_t> fields_of(const ConvPlan& plan) {
  std::vector<int64_t> fields = {static_cast<int64_t>(plan.op),
                                 static_cast<int64_t>(plan.dtype),
                                 static_cast<int64_t>(plan.algorithm),
                                 plan.variant,
                                 static_cast<int64_t>(plan.padding_mode),
                                 plan.batch,
                                 plan.groups,
                                 plan.in_channels,
                                 plan.out_channels};
  for (const Axis& a : plan.axis) {
    fields.insert(fields.end(), {a.in, a.kernel, a.stride, a.dilation, a.pad_before, a.pad_after, a.out});
  }
  return {fields.begin(), fields.end()};
}

// For messages.
inline std::string described(const ConvPlan& plan) {
  std::string text = "plan";
  for (const int32_t field : fields_of(plan)) text += ' ' + std::to_string(field);
  return text;
}

constexpr PaddingMode kModes[] = {PaddingMode::zeros, PaddingMode::circular, PaddingMode::reflect,
                                  PaddingMode::replicate};

}  // namespace convmat::test
