// Fills panels of B for GEMM straight from an image.
#pragma once

#include "table/im2col.h"

namespace convmat::CONVMAT_ISA {
namespace {

// Vectors are stored whole, over what the next segment or row will write: rows are filled in ascending order.
template <typename T, int STEP>
void im2col_rows(const Im2colPanel<T>& p) {
  constexpr int lanes = Vec<T>::lanes;
  constexpr uint64_t all = (uint64_t{1} << lanes) - 1;
  T* row = p.panel;
  const T* image = p.image;
  for (int64_t channel = 0; channel < p.channels; ++channel, image += p.channel_stride) {
    for (int64_t tap = 0; tap < p.taps; ++tap, row += p.ld) {
      const PanelSegment* const end = p.segments + p.tap_begin[tap + 1];
      for (const PanelSegment* segment = p.segments + p.tap_begin[tap]; segment != end; ++segment) {
        T* to = row + segment->column;
        const T* from = image + segment->offset;
        uint64_t valid = segment->valid;
        for (int count = segment->count; count > 0; count -= lanes) {
          if constexpr (STEP == 1) {
            const bool whole = !free_masks && (valid & all) == all;
            store(to, whole ? load(from) : load(from, mask_of<T>(static_cast<uint32_t>(valid & all))));
          } else if constexpr (STEP == 2) {
            store(to, load_even(from, mask_of<T>(static_cast<uint32_t>(valid & all))));
          } else {
            for (int i = 0; i < lanes && i < count; ++i) to[i] = valid >> i & 1 ? from[i * p.step] : T{0};
          }
          to += lanes;
          from += lanes * (STEP == 0 ? p.step : STEP);
          valid >>= lanes;
        }
      }
    }
  }
}

template <typename T>
void im2col_panel(const Im2colPanel<T>& panel) {
  if (panel.step == 1) return im2col_rows<T, 1>(panel);
  if (panel.step == 2) return im2col_rows<T, 2>(panel);
  im2col_rows<T, 0>(panel);
}

}  // namespace
}  // namespace convmat::CONVMAT_ISA
