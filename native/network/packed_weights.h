// What is packed of a network's constant weights: networks of one model, for other input shapes, share it.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "conv/conv.h"
#include "runtime/aligned.h"

namespace convmat {

// What weights were packed from. Constants by their index, which is the same for all networks of a model.
struct ConvPacking {
  int64_t weight, scale, bias;
  double lo, hi;
  ConvPlan plan;
};

// Rows of a matrix, one behind the other, and what is added to their products.
struct RowPacking {
  int64_t weight, scale, bias;
  int64_t count, n;
  bool is_transposed;  // the constant is [n][count]
};
struct PackedRows {
  const std::byte* data;  // in `rows`, or in a constant that lasts
  AlignedArray<float> rows, bias;
};

// Whether what is packed for one serves the other: with the same constants, for a plan that differs in batch
// and in the sizes of images alone.
inline bool are_alike(const ConvPacking& a, const ConvPacking& b) {
  return a.weight == b.weight && a.scale == b.scale && a.bias == b.bias && a.lo == b.lo && a.hi == b.hi &&
         packed_alike(a.plan, b.plan);
}
inline bool are_alike(const RowPacking& a, const RowPacking& b) {
  return a.weight == b.weight && a.scale == b.scale && a.bias == b.bias && a.count == b.count && a.n == b.n &&
         a.is_transposed == b.is_transposed;
}

template <class Packing, class Packed>
class PackedList {
 public:
  // Null when nothing is packed alike.
  std::shared_ptr<const Packed> find(const Packing& packing) const {
    for (const auto& [from, packed] : entries_) {
      if (are_alike(from, packing)) return packed;
    }
    return nullptr;
  }
  void add(const Packing& packing, std::shared_ptr<const Packed> packed) {
    entries_.emplace_back(packing, std::move(packed));
  }

 private:
  std::vector<std::pair<Packing, std::shared_ptr<const Packed>>> entries_;
};

struct PackedWeights {
  PackedList<ConvPacking, PackedConv> convs;
  PackedList<RowPacking, PackedRows> rows;
};

}  // namespace convmat
