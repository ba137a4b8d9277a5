// Copies rows of the image into a frame with borders, columns of a stride taken apart.
#pragma once

#include "table/frame.h"

namespace convmat::CONVMAT_ISA {
namespace {

template <typename T>
CONVMAT_INLINE void frame_phase(const T* from, int64_t step, const FramePhase& phase, T* to) {
  constexpr int lanes = Vec<T>::lanes;
  for (int64_t i = 0; i < phase.before; i += lanes) store(to + i, zero<T>());
  to += phase.before;
  from += phase.first;
  int64_t i = 0;
  if (step == 1) {
    for (; i + lanes <= phase.count; i += lanes) store(to + i, load(from + i));
    if (i < phase.count) store(to + i, load(from + i, first_lanes<T>(static_cast<int>(phase.count - i))));
  } else if (step == 2) {
    for (; i < phase.count; i += lanes) {
      const int64_t left = phase.count - i < lanes ? phase.count - i : lanes;
      store(to + i, load_even(from + 2 * i, first_lanes<T>(static_cast<int>(left))));
    }
  } else {
    for (; i < phase.count; ++i) to[i] = from[i * step];
  }
  for (i = 0; i < phase.after; i += lanes) store(to + phase.count + i, zero<T>());
}

// Planes that are asked for before their turn: a few rows of each are read, and hardware foresees no others.
constexpr int64_t kFrameAhead = 2;

template <typename T>
void frame_rows(const FrameRows<T>& f) {
  const int64_t span = f.phases[0].count * f.step, ahead = kFrameAhead * f.from_plane;
  for (int64_t plane = 0; plane < f.planes; ++plane) {
    const T* from = f.from + plane * f.from_plane;
    T* to = f.to + plane * f.to_plane;
    for (int64_t row = 0; row < f.rows; ++row) {
      for (int64_t i = 0; i < span; i += 64 / sizeof(T)) CONVMAT_PREFETCH(from + ahead + i);
      for (int64_t i = 0; i < f.phase_count; ++i) frame_phase(from, f.step, f.phases[i], to + i * f.to_phase);
      from += f.from_row;
      to += f.to_row;
    }
  }
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
