#include "door/tuning.h"

#include "runtime/tuning.h"

namespace convmat::door {

namespace {

// The tiles that sparse Toeplitz products have, as bits: of n rows or channels where bit n is set.
double toeplitz_counts() {
  uint32_t counts = 0;
  for (int n = 0; n < 32; n++) {
    if (toeplitz_count(n) == n) counts |= uint32_t{1} << n;
  }
  return counts;
}

}  // namespace

// Vectors are of float: the model counts in them.
std::vector<TuningEntry> tuning_of(const KernelTable& table) {
  const Kernels<float>& kernels = table.f32;
  const GemmBlocking& gemm = kernels.gemm_blocking;
  const DirectBlocking& direct = kernels.direct_blocking;
  const auto number = [](auto value) { return static_cast<double>(value); };
  return {
      {"", "lanes", number(direct.lanes)},
      {"gemm", "rows", number(gemm.mr)},
      {"gemm", "vectors", number(gemm.nr / direct.lanes)},
      {"gemm", "wideRows", number(gemm.wide_mr)},
      {"gemm", "wideVectors", number(gemm.wide_nr / direct.lanes)},
      {"gemm", "blockRows", number(gemm.kc)},
      {"lowered", "inPlacePasses", number(tuning::kInPlacePasses)},
      {"direct", "vectors", number(direct.vectors)},
      {"direct", "sums", number(direct.accumulators)},
      {"direct", "pixels", number(direct.pixels)},
      {"direct", "blockTaps", number(tuning::kDirectBlockTaps)},
      {"direct", "runTiles", number(tuning::kDirectRunTiles)},
      {"direct", "inputBytes", number(tuning::kDirectInputBytes)},
      {"direct", "nearInputBytes", number(tuning::kDirectNearInputBytes)},
      {"depthwise", "rows", number(kernels.depthwise_blocking.rows)},
      {"separable", "lines", number(tuning::kSeparableLines)},
      {"toeplitz", "sums", number(kernels.toeplitz_blocking.sums)},
      {"toeplitz", "counts", toeplitz_counts()},
      {"toeplitz", "load", number(tuning::kToeplitzLoad)},
      {"toeplitz", "broadcast", number(tuning::kToeplitzBroadcast)},
      {"toeplitz", "bandRows", number(tuning::kToeplitzBandRows)},
      {"toeplitz", "panelBytes", number(tuning::kToeplitzPanelBytes)},
      {"toeplitz", "gatheredChannels", number(tuning::kToeplitzGatheredChannels)},
  };
}

}  // namespace convmat::door
