// Copies rows of the image into a frame with borders, columns of a stride taken apart.
#pragma once

#include "core/kernel_table.h"

namespace convmat::CONVMAT_ISA {
namespace {

template <typename T>
void frame_rows(const FrameRows<T>& f) {
  constexpr int lanes = Vec<T>::lanes;
  const T* from = f.from;
  T* to = f.to;
  for (int64_t row = 0; row < f.rows; ++row) {
    for (int64_t i = 0; i < f.before; i += lanes) store(to + i, zero<T>());
    T* const body = to + f.before;
    int64_t i = 0;
    if (f.step == 1) {
      for (; i + lanes <= f.count; i += lanes) store(body + i, load(from + i));
      if (i < f.count) store(body + i, load(from + i, first_lanes<T>(static_cast<int>(f.count - i))));
    } else if (f.step == 2) {
      for (; i < f.count; i += lanes) {
        const int64_t left = f.count - i < lanes ? f.count - i : lanes;
        store(body + i, load_even(from + 2 * i, first_lanes<T>(static_cast<int>(left))));
      }
    } else {
      for (; i < f.count; ++i) body[i] = from[i * f.step];
    }
    for (i = 0; i < f.after; i += lanes) store(body + f.count + i, zero<T>());
    from += f.from_row;
    to += f.to_row;
  }
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
