// What the native tests share: the instruction sets to run on, and data.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "runtime/cpu.h"

namespace convmat::test {

// A suite that runs once per instruction set of this machine; the set's name is the test's.
class EachIsa : public testing::TestWithParam<const KernelTable*> {
 protected:
  const KernelTable& kernels() const { return *GetParam(); }
};
inline std::string isa_name(const testing::TestParamInfo<const KernelTable*>& info) {
  return info.param->name;
}
#define CONVMAT_ON_EACH_ISA(suite)                                                      \
  INSTANTIATE_TEST_SUITE_P(Isa, suite, testing::ValuesIn(convmat::available_kernels()), \
                           convmat::test::isa_name)

// Small whole numbers: sums of their products are exact in any order, so results compare by equality.
template <typename T>
std::vector<T> whole_numbers(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) value = static_cast<T>(static_cast<int>(random() % 17) - 8);
  return values;
}

}  // namespace convmat::test
