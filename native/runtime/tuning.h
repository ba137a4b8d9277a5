// Sizes and costs by which the drivers cut their work, as far as the choice among algorithms follows them:
// the addon exports them, and the model of time in lib/plan/model reads them there. What no choice depends on
// stands in the driver that it belongs to.
#pragma once

#include <cstdint>

#include "runtime/caches.h"

namespace convmat::tuning {

// --- products over lowered images ---

// Rows of an image lie pages apart, and translating their addresses costs each pass over them. Up to so many
// passes, one per panel of A, it costs less than a copy. With more: 1x1 256->128 on 56x56 takes 1.55 ms
// instead of 1.80, 512->256 on 28x28 1.36 instead of 1.54, when packed; 5 passes gain nothing (Xeon of the
// Sapphire Rapids kind).
constexpr int64_t kInPlacePasses = 7;

// --- direct sums ---

// Products that are summed in one go; a block is as many channels as come near it. Measured on Zen 4: blocks
// of 256 cost 1 % of time, and keep the error of 4608 products at that of a few hundred.
constexpr int64_t kDirectBlockTaps = 256;

// What a chunk reads stays in L2: its input, and the weights that all its pixels meet one after the other,
// which are a panel, or one block of a panel's channels where the panel is larger than a quarter.
constexpr int64_t kDirectInputBytes = kL2Bytes / 4 * 3;
// Where all weights stay in L2, so does the input beside them. Weights that do not, come from L3 once per
// chunk: in chunks of 100 KB, 1x1 2048->512 on 7x7 took 1.7 times as long (Xeon with 2 MB of L2). So small
// chunks save nothing: rows that neighbouring ones share are copied to each one's frame, and 3x3 stride 2 of
// 128 channels on 56x56 took 1.1 times as long in chunks of 96 KB as in these.
constexpr int64_t kDirectNearInputBytes = kL2Bytes / 4;

// Tiles whose sums are finished together; they stay in L1.
constexpr int64_t kDirectRunTiles = 4;

// --- kernels of rank one, in two passes ---

// Rows that are summed along together: with `sums` accumulators, four vectors of each.
constexpr int kSeparableLines = 2;

// --- sparse Toeplitz products ---

// By which a form is chosen, in units of one fused multiplication and addition; measured on Zen 4, where a
// vector that straddles two cache lines costs two loads and most of a row's shifts do.
constexpr double kToeplitzLoad = 1.7;
constexpr double kToeplitzBroadcast = 0.5;

// A panel stays in L2 beside the weights that it meets.
constexpr int64_t kToeplitzPanelBytes = kL2Bytes / 16 * 3;
// Rows that one visit of the weights serves: whole tiles of any of the kernels' counts.
constexpr int64_t kToeplitzBandRows = 24;
// From so many output channels on, gathering every tile costs less than the ragged tiles at the borders.
constexpr int64_t kToeplitzGatheredChannels = 8;

}  // namespace convmat::tuning
