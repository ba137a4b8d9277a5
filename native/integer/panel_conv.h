// What integer convolutions share whose weights are packed in panels of neighbouring output channels: what is
// added to the sums of each channel and what they are multiplied by, and how outputs are dealt out.
#pragma once

#include "integer/problem.h"
#include "runtime/aligned.h"

namespace convmat {

class PanelConv : public PackedIntegerConv {
 public:
  size_t bytes() const final;
  void run(const Context&, const void* input, void* output) const final;

 protected:
  // A group's output channels are filled up to `padded_channels`, in so many panels.
  PanelConv(const Context&, const IntegerConvPlan&, bool scaled, int64_t padded_channels, int64_t panels);

  // As PanelChunk, of one image and group.
  struct Chunk : PanelChunk {
    const uint8_t* input;  // of the group
    void* output;
  };

  virtual size_t weight_bytes() const = 0;
  virtual PanelSharing share() const = 0;
  virtual void run_chunk(const Chunk&) const = 0;

  PanelOutputs outputs() const { return {p_.axis, p_.plan.conv.batch, p_.plan.conv.groups, panels_}; }

  // Of channel `lane`, counted through all groups with what fills them up.
  void set_channel(int64_t lane, int32_t offset, int32_t weight_zero, double multiplier);
  // The same for kernels, which read them from `lane` on.
  template <class Finish>
  void finish_with(Finish& finish, int64_t lane) const {
    finish.offsets = offsets_.data() + lane;
    finish.multipliers = multipliers_.size() > 0 ? multipliers_.data() + lane : nullptr;
    finish.float_multipliers = float_multipliers_.size() > 0 ? float_multipliers_.data() + lane : nullptr;
    finish.zero_point = p_.zero_point;
    finish.flip = p_.flip;
    finish.y_channel = p_.out_plane();
  }
  const int32_t* weight_zeros(int64_t lane) const { return weight_zeros_.data() + lane; }

  const IntegerProblem p_;
  const int64_t padded_channels_;  // of a group's output
  const int64_t panels_;
  int64_t group_bytes_;            // of an image
  bool needs_input_sums_ = false;  // weights have zero points that are left to be taken from the sums

 private:
  AlignedArray<int32_t> offsets_, weight_zeros_;  // [group][padded channel]
  AlignedArray<double> multipliers_;              // of one of these two, or neither
  AlignedArray<float> float_multipliers_;
};

inline int32_t wrapped(uint64_t value) { return static_cast<int32_t>(static_cast<uint32_t>(value)); }

}  // namespace convmat
