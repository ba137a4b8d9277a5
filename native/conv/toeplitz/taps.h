// The taps that are not zero, packed for the kernels: per block of output channels, in the form that is
// expected to be the fastest for it.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/aligned.h"
#include "table/table.h"

namespace convmat {

// How the weight lies, seen from one direction of the product: element
//   group * group_stride + written * written_stride + read * read_stride + tap.
struct ToeplitzWeights {
  int64_t groups, written, read;  // channels per group
  int64_t group_stride, written_stride, read_stride;
};

enum class ToeplitzForm {
  rows,      // one channel, its own taps, several rows at a time
  channels,  // several channels, the taps that any of them has
  plane,     // one channel, whole columns of taps, several rows at a time
};

template <typename T>
struct ToeplitzBlock {
  ToeplitzForm form;
  int64_t channel, channels;  // of the group
  int64_t steps;
  const int32_t* taps;  // [steps]: (read channel, depth, height, width), flat
  const T* weights;     // [steps][channels], or [steps][height] of a plane
};

// The kernel's taps of one set per axis (all of them forward, those of a residue backward).
template <typename T>
class ToeplitzTaps {
 public:
  // sets: positions in the kernel, per axis; kernel: its sizes. `is_even`: taps of neighbouring heights lie
  // as far apart as neighbouring rows of the output, so that the plane form applies.
  ToeplitzTaps(const ToeplitzWeights& layout, const T* weight, const std::vector<int64_t> (&sets)[3],
               const int64_t (&kernel)[3], bool is_even, const ToeplitzBlocking& blocking);

  const std::vector<ToeplitzBlock<T>>& blocks(int64_t group) const {
    return blocks_[static_cast<size_t>(group)];
  }
  size_t groups() const { return blocks_.size(); }
  size_t bytes() const { return taps_.bytes() + weights_.bytes() + sizeof(ToeplitzBlock<T>) * block_count_; }
  // Products per output position of all channels: what a run costs.
  double products() const { return products_; }

 private:
  std::vector<std::vector<ToeplitzBlock<T>>> blocks_;
  AlignedArray<int32_t> taps_;
  AlignedArray<T> weights_;
  size_t block_count_ = 0;
  double products_ = 0;
};

extern template class ToeplitzTaps<float>;
extern template class ToeplitzTaps<double>;

}  // namespace convmat
