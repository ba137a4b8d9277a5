// The packed weights of a network's convolutions: what networks of one model, for other input shapes, share.
#pragma once

#include <memory>
#include <vector>

#include "conv/conv.h"

namespace convmat {

// What weights were packed from. Constants by their index, which is the same for all networks of a model.
struct ConvPacking {
  int64_t weight, scale, bias;
  double lo, hi;
  ConvPlan plan;
};

class PackedConvs {
 public:
  // Null when nothing is packed alike: with the same constants, for a plan that differs in batch and in the
  // sizes of images alone.
  std::shared_ptr<const PackedConv> find(const ConvPacking& packing) const;
  void add(const ConvPacking& packing, std::shared_ptr<const PackedConv> packed) {
    entries_.push_back({packing, std::move(packed)});
  }

 private:
  struct Entry {
    ConvPacking packing;
    std::shared_ptr<const PackedConv> packed;
  };
  std::vector<Entry> entries_;
};

}  // namespace convmat
