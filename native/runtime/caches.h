// What the drivers take a core's caches for: the least of the CPUs that they were measured on (Zen 4, and
// Xeons of the Sapphire Rapids kind, whose L2 is twice as large).
#pragma once

#include <cstdint>

namespace convmat {

constexpr int64_t kL2Bytes = 1 << 20;
// Of a result that is written and not read soon: the share of L3 in which it may still be found.
constexpr int64_t kL3Bytes = 16 << 20;

}  // namespace convmat
