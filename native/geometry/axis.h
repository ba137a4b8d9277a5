// What one axis of a sparse Toeplitz product reads: forward, or backward for outputs of one residue.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/plan.h"

namespace convmat {

// Output i, i < count, is element first + i * step of the written axis, and reads through its taps, in
// ascending order of offsets,
//   source element i * stride + offset
// of an axis of `source` elements, continued beyond its ends as `mode` says.
struct ToeplitzAxis {
  int64_t first, step, count;
  int64_t stride;
  int64_t source;
  PaddingMode mode;
  std::vector<int64_t> taps;     // positions in the kernel
  std::vector<int64_t> offsets;  // one per tap

  int64_t lowest() const { return offsets.front(); }
  // How far the taps reach apart.
  int64_t reach() const { return offsets.empty() ? 0 : offsets.back() - offsets.front(); }
};

// All outputs of the convolution.
ToeplitzAxis forward_axis(const Axis& axis, PaddingMode mode);

// The taps of the adjoint that meet elements i of the input with (i + pad_before) mod stride == residue, in
// ascending order of the outputs that they lead to.
std::vector<int64_t> adjoint_taps(const Axis& axis, int64_t residue);

// The adjoint at the elements `begin` + i * stride of the input, below `end`; elements outside the input
// stand for its zero padding.
ToeplitzAxis adjoint_axis(const Axis& axis, int64_t begin, int64_t end);

// (begin + pad_before) mod stride.
int64_t adjoint_residue(const Axis& axis, int64_t begin);

// Element `at` of an axis continued beyond its ends: which element it repeats, or -1 for a zero.
int64_t source_of(int64_t at, int64_t size, PaddingMode mode);

}  // namespace convmat
