#include "geometry/axis.h"

#include "plan/arith.h"

namespace convmat {

ToeplitzAxis forward_axis(const Axis& axis, PaddingMode mode) {
  ToeplitzAxis a{0, 1, axis.out, axis.stride, axis.in, mode, {}, {}};
  for (int64_t tap = 0; tap < axis.kernel; ++tap) {
    a.taps.push_back(tap);
    a.offsets.push_back(tap * axis.dilation - axis.pad_before);
  }
  return a;
}

int64_t adjoint_residue(const Axis& axis, int64_t begin) {
  const int64_t residue = (begin + axis.pad_before) % axis.stride;
  return residue < 0 ? residue + axis.stride : residue;
}

std::vector<int64_t> adjoint_taps(const Axis& axis, int64_t residue) {
  std::vector<int64_t> taps;
  for (int64_t tap = axis.kernel - 1; tap >= 0; --tap) {
    if (tap * axis.dilation % axis.stride == residue) taps.push_back(tap);
  }
  return taps;
}

ToeplitzAxis adjoint_axis(const Axis& axis, int64_t begin, int64_t end) {
  const int64_t count = end > begin ? ceil_div(end - begin, axis.stride) : 0;
  ToeplitzAxis a{begin, axis.stride, count, 1, axis.out, PaddingMode::zeros, {}, {}};
  a.taps = adjoint_taps(axis, adjoint_residue(axis, begin));
  // Exact: the taps are those that leave no remainder.
  for (int64_t tap : a.taps)
    a.offsets.push_back((begin + axis.pad_before - tap * axis.dilation) / axis.stride);
  return a;
}

int64_t source_of(int64_t at, int64_t size, PaddingMode mode) {
  if (at >= 0 && at < size) return at;
  switch (mode) {
    case PaddingMode::circular:
      return at < 0 ? at + size : at - size;
    case PaddingMode::reflect:
      return at < 0 ? -at : 2 * (size - 1) - at;
    case PaddingMode::replicate:
      return at < 0 ? 0 : size - 1;
    case PaddingMode::zeros:
      break;
  }
  return -1;
}

}  // namespace convmat
