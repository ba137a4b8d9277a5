// Transposition.
#pragma once

#include <cstdint>

namespace convmat {

// to[c][r] <-- from[r][c]. Up to a vector's length beyond the end of each of to's rows is overwritten, the
// last's too.
template <typename T>
using TransposeFn = void(int64_t rows, int64_t columns, const T* from, int64_t ld_from, T* to, int64_t ld_to);

}  // namespace convmat
