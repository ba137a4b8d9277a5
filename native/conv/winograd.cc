// Forward 3 x 3 convolution of stride and dilation 1 by Winograd's F(4 x 4, 3 x 3) or F(2 x 2, 3 x 3), as the
// plan's variant says. A block of tiles goes through all three steps while it is in L2:
//   v[point][vector of channels][tile][lane] <-- input
//   products[panel][point][tile][output channel] = v * u, for some panels of output channels at a time
//   output <-- products
#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "conv/algorithm.h"
#include "conv/resummation.h"
#include "geometry/lowering.h"
#include "plan/arith.h"
#include "plan/dispatch.h"
#include "plan/serves.h"
#include "runtime/aligned.h"
#include "runtime/arena.h"
#include "runtime/caches.h"
#include "runtime/epilogue.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

// Of v, and of the products of several panels: beside them the rows of a tile find room in the thread's
// arena.
constexpr int64_t kInputBytes = static_cast<int64_t>(kArenaBytes) / 2;
constexpr int64_t kProductBytes = static_cast<int64_t>(kArenaBytes) / 16 * 7;

// Of a v that every panel may read again, since L2 has it, so that products are written where L2 has room and
// weights come in the order of memory: inside a network, 256 channels on 14x14 take 0.75 ms instead of 1.0.
constexpr int64_t kNearInputBytes = kL2Bytes / 8 * 5;
// The same where weights come from memory: 512 channels on 14x14 take 2.8 ms instead of 3.9. Again and again,
// alone in an L3 that holds them, they take 2.3 instead of 2.0 (Xeon with 2 MB of L2, as all of these).
constexpr int64_t kNearInputBytesOfFarWeights = kL2Bytes / 4 * 5;
// Of a v of all tiles that is written and read beyond L2 for such weights to be read once, where that saves
// more bytes than so many times its own: 512 channels on 28x28 take 6.7 ms instead of 8.6.
constexpr int64_t kFarInputBytes = static_cast<int64_t>(kArenaBytes) / 16 * 15;
constexpr int64_t kFarInputPasses = 5;

// Points, of inputs, weights and products alike, lie a cache line apart beside their size, which is often a
// multiple of a page: the transforms, which read or write all of them in turn, would have them in one set of
// L1.
constexpr int64_t kPointGapBytes = 64;

// Weights of a group up to which they stay in L2 from one block to the next.
constexpr int64_t kCachedWeightBytes = kL2Bytes;

// What an element of v, or of the products, takes to transform, in multiply-adds; and tiles per block below
// which a panel's multiply-adds wait for its weights, in L2 or beyond. Measured on Sapphire Rapids.
constexpr double kTransformCost = 16;
constexpr double kCachedTiles = 7, kUncachedTiles = 22;

// Blocks that need not be cut finer to keep every thread busy to the end.
constexpr int64_t kBlocksPerThread = 4;

// What follows from the plan's packing key.
template <typename T>
struct WinogradShape {
  WinogradShape(const Kernels<T>& kernels, const ConvPlan& plan)
      : m(plan.variant),
        points((m + 2) * (m + 2)),
        lanes(kernels.direct_blocking.lanes),
        in_channels(plan.in_channels / plan.groups),
        out_channels(plan.out_channels / plan.groups),
        in_vectors(ceil_div(in_channels, lanes)),
        out_vectors(ceil_div(out_channels, lanes)),
        panels(ceil_div(out_vectors, kWinogradVectors)) {}

  int64_t vectors_of(int64_t panel) const {
    return std::min<int64_t>(kWinogradVectors, out_vectors - panel * kWinogradVectors);
  }
  int64_t point_weights(int64_t vectors) const { return in_vectors * lanes * vectors * lanes + gap(); }
  int64_t panel_weights(int64_t panel) const { return points * point_weights(vectors_of(panel)); }
  int64_t group_weights() const { return (panels - 1) * panel_weights(0) + panel_weights(panels - 1); }
  int64_t panel_at(int64_t group, int64_t panel) const {
    return group * group_weights() + panel * panel_weights(0);
  }
  static constexpr int64_t gap() { return kPointGapBytes / static_cast<int64_t>(sizeof(T)); }

  int32_t m;
  int64_t points, lanes;
  int64_t in_channels, out_channels;  // of a group
  int64_t in_vectors, out_vectors, panels;
};

constexpr double kNsPerTransformedWeight = 0.2;

// A convolution's own weights, or those of the convolution whose adjoint it is: channels exchanged and taps
// in reverse.
enum class WeightOrder { own, adjoint };

template <typename T>
class WeightTransform {
 public:
  WeightTransform(const WinogradShape<T>& shape, WeightOrder order, const T* weight)
      : s_(shape), order_(order), weight_(weight) {}

  // u[point][channel, in whole vectors][output channel of the panel] <-- one panel of a group, for `count`
  // channels from `first` on.
  void run(const Kernels<T>& kernels, int64_t group, int64_t panel, int64_t first, int64_t count, T* u,
           int64_t point) const {
    const int64_t first_out = panel * kWinogradVectors * s_.lanes, width = s_.vectors_of(panel) * s_.lanes;
    const bool is_own = order_ == WeightOrder::own;
    const int64_t out_stride = is_own ? s_.in_channels * 9 : 9, in_stride = is_own ? 9 : s_.out_channels * 9;
    kernels.winograd_weights(s_.m, {weight_ + group * s_.out_channels * s_.in_channels * 9 +
                                        first_out * out_stride + first * in_stride,
                                    out_stride, in_stride, !is_own,
                                    std::min(width, s_.out_channels - first_out), count, width, u, point});
    const int64_t padded = ceil_div(count, s_.lanes) * s_.lanes;
    for (int64_t p = 0; p < s_.points; ++p) {
      std::fill(u + p * point + count * width, u + p * point + padded * width, T{0});
    }
  }

 private:
  const WinogradShape<T> s_;
  const WeightOrder order_;
  const T* const weight_;
};

template <typename T>
struct PackedWinograd {
  AlignedArray<T> u;  // [group][panel], as transformed; nothing when each task transforms what it multiplies
  std::optional<WeightTransform<T>> borrowed;  // by which it does so, of weights that are not its own
  AlignedArray<T> bias;                        // [group][vector][lane]
  T lo, hi;
};

template <typename T>
class WinogradRun {
 public:
  WinogradRun(const Context& context, const ConvPlan& plan, const PackedWinograd<T>& weights, const T* x,
              T* y)
      : context_(context),
        kernels_(context.kernels->of<T>()),
        plan_(plan),
        s_(kernels_, plan),
        weights_(weights),
        x_(x),
        y_(y),
        tile_rows_(ceil_div(plan.axis[1].out, s_.m)),
        tile_columns_(ceil_div(plan.axis[2].out, s_.m)),
        tiles_(plan.batch * tile_rows_ * tile_columns_) {}

  // Whether no panel's weights are read twice, by one thread.
  static bool is_one_block(const Context& context, const ConvPlan& plan, const PackedWinograd<T>& weights) {
    return WinogradRun(context, plan, weights, nullptr, nullptr).fewest_blocks() <= 1;
  }

  // Rows of tiles that have a sum which is not finite are flagged.
  void run(const TileFlags& flags) const {
    if (tiles_ * plan_.groups == 0) return;
    const int64_t fewest = fewest_blocks();
    const double cost_ns = static_cast<double>(fewest * plan_.groups) * task_cost({fewest, 1}) /
                           kernels_.gemm_blocking.fma_per_ns;
    const int threads = cost_ns < kParallelWorthNs ? 1 : ThreadPool::shared().threads();
    const Partition partition = threads == 1             ? Partition{fewest, 1}
                                : weights_.u.size() == 0 ? Partition{1, std::min<int64_t>(threads, s_.panels)}
                                                         : share_out(fewest, threads);
    parallel_for(plan_.groups * partition.blocks * partition.chunks, cost_ns, [&](int64_t i) {
      if (context_.is_cancelled()) return;
      const int64_t chunk = i % partition.chunks, at = i / partition.chunks % partition.blocks;
      const int64_t first = at * tiles_ / partition.blocks, end = (at + 1) * tiles_ / partition.blocks;
      run_block({i / partition.chunks / partition.blocks, first, end - first},
                chunk * s_.panels / partition.chunks, (chunk + 1) * s_.panels / partition.chunks, flags);
    });
  }

 private:
  // Tiles of one group, numbered through all images, rows and columns.
  struct Block {
    int64_t group, first, tiles;
  };

  struct Panels {
    int64_t first, count;
  };

  // Those of a block that form a rectangle in one image.
  struct Rectangle {
    int64_t tile;  // the first, counted from the block's
    int64_t image, first_row, rows, first_column, columns;
  };

  // A task is a block by a chunk of the panels of output channels. Every element's result is the same bits
  // in any: only speed depends on it.
  struct Partition {
    int64_t blocks;  // of each group
    int64_t chunks;  // of each block; each transforms the block's input for itself, since a core reads what
                     // another wrote more slowly
  };

  int64_t weight_bytes() const { return s_.group_weights() * static_cast<int64_t>(sizeof(T)); }
  int64_t tile_bytes() const {
    return s_.points * s_.in_vectors * s_.lanes * static_cast<int64_t>(sizeof(T));
  }
  bool weights_are_far() const { return weight_bytes() > kL3Bytes; }
  bool weights_are_cached() const { return weight_bytes() <= kCachedWeightBytes; }

  // Large blocks load the weights less often. Measured from 1 to 4 rounds of F(4 x 4)'s widest kernel, all
  // within 2 % on Zen 4 where weights are cached.
  int64_t fewest_blocks() const {
    const int64_t widest = kernels_.direct_blocking.max_pixels(kWinogradVectors);
    const int64_t rounds = (weights_are_cached() ? 2 : 4) * (s_.m == 2 ? 2 : 1);
    const int64_t blocks =
        ceil_div(tiles_, std::clamp(kInputBytes / tile_bytes() / widest * widest, widest, rounds * widest));
    const int64_t v_bytes = tiles_ * tile_bytes();
    const bool reads_once = v_bytes <= kFarInputBytes && weights_are_far() &&
                            (blocks - 1) * weight_bytes() > kFarInputPasses * v_bytes;
    return reads_once ? 1 : blocks;
  }

  // In multiply-adds, about.
  double task_cost(Partition partition) const {
    const auto tiles = static_cast<double>(ceil_div(tiles_, partition.blocks));
    const auto in = static_cast<double>(s_.in_vectors * s_.lanes);
    const auto out = static_cast<double>(
        std::min(ceil_div(s_.panels, partition.chunks) * kWinogradVectors, s_.out_vectors) * s_.lanes);
    const double waits = weights_are_cached() ? kCachedTiles : kUncachedTiles;
    return static_cast<double>(s_.points) *
           (tiles * kTransformCost * (in + out) + std::max(tiles, waits) * in * out);
  }

  // The one whose busiest thread is done first.
  Partition share_out(int64_t fewest, int threads) const {
    const int64_t widest = kernels_.direct_blocking.max_pixels(kWinogradVectors);
    const int64_t most = std::min(std::max(fewest, tiles_ / widest), fewest + kBlocksPerThread * threads);
    Partition best{fewest, 1};
    double least = std::numeric_limits<double>::infinity();
    for (int64_t blocks = fewest; blocks <= most; ++blocks) {
      const int64_t even = threads / std::gcd<int64_t>(threads, blocks * plan_.groups);
      for (const int64_t chunks : {int64_t{1}, std::min(even, s_.panels)}) {
        const Partition partition{blocks, chunks};
        const int64_t turns = ceil_div(blocks * plan_.groups * chunks, threads);
        const double cost = static_cast<double>(turns) * task_cost(partition);
        if (cost < least) {
          least = cost;
          best = partition;
        }
      }
    }
    return best;
  }

  template <class Visit>
  void each_rectangle(const Block& b, Visit visit) const {
    for (int64_t tile = 0; tile < b.tiles;) {
      const int64_t row = (b.first + tile) / tile_columns_, column = (b.first + tile) % tile_columns_;
      const int64_t left = b.tiles - tile,
                    rows = std::min(left / tile_columns_, tile_rows_ - row % tile_rows_);
      Rectangle r{tile, row / tile_rows_, row % tile_rows_,
                  1,    column,           std::min(left, tile_columns_ - column)};
      if (column == 0 && rows > 0) r.rows = rows;
      visit(r);
      tile += r.rows * r.columns;
    }
  }

  int64_t point_of_v(const Block& b) const { return s_.in_vectors * b.tiles * s_.lanes + s_.gap(); }

  int64_t point_of_products(const Block& b, int64_t vectors) const {
    return b.tiles * vectors * s_.lanes + s_.gap();
  }
  int64_t products_of_panel(const Block& b) const {
    return s_.points * point_of_products(b, kWinogradVectors);
  }

  // Panels that are transformed for this run are multiplied while they are in cache, one by one; and weights
  // that are in cache anyway leave more of it to the products.
  int64_t panels_at_once(const Block& b) const {
    if (weights_.u.size() == 0 || weights_are_cached()) return 1;
    const int64_t v_bytes = b.tiles * tile_bytes();
    const int64_t near = weights_are_far() ? kNearInputBytesOfFarWeights : kNearInputBytes;
    if (v_bytes <= near || v_bytes > kInputBytes) return 1;
    return std::clamp<int64_t>(kProductBytes / static_cast<int64_t>(sizeof(T)) / products_of_panel(b), 1,
                               s_.panels);
  }

  void run_block(const Block& b, int64_t first_panel, int64_t end_panel, const TileFlags& flags) const {
    ArenaFrame arena;
    T* const v = arena.take<T>(s_.points * point_of_v(b));
    each_rectangle(b, [&](const Rectangle& r) {
      for (int64_t vector = 0; vector < s_.in_vectors; ++vector) transform_input(b, r, vector, v);
    });
    const int64_t at_once = panels_at_once(b);
    for (int64_t panel = first_panel; panel < end_panel; panel += at_once) {
      multiply(b, {panel, std::min(at_once, end_panel - panel)}, v, flags);
    }
  }

  // v[..][vector] <-- the input of a rectangle's tiles, a row of tiles at a time, by way of
  // rows[row][column][lane] with its padding.
  void transform_input(const Block& b, const Rectangle& r, int64_t vector, T* v) const {
    const Axis &height = plan_.axis[1], &width = plan_.axis[2];
    const int64_t lanes = s_.lanes, m = s_.m;
    const int64_t channels = std::min(lanes, s_.in_channels - vector * lanes);
    const int64_t columns = r.columns * m + 2, line = columns * lanes;
    const int64_t plane = height.in * width.in;
    const bool is_blocked = plan_.input_block > 1;
    const T* const image =
        is_blocked ? x_ + (r.image * s_.in_vectors + vector) * plane * lanes
                   : x_ + (r.image * plan_.in_channels + b.group * s_.in_channels + vector * lanes) * plane;
    const int64_t first_row = r.first_row * m - height.pad_before;
    const int64_t first_column = r.first_column * m - width.pad_before;
    const int64_t begin = std::clamp<int64_t>(-first_column, 0, columns);
    const int64_t end = std::clamp<int64_t>(width.in - first_column, begin, columns);

    ArenaFrame arena;
    T* const laned = arena.take<T>((m + 2) * line);
    for (int64_t i = 0; i < r.rows; ++i) {
      // The rows above, but for the first tiles, have the last two of their neighbours'.
      const int64_t known = i == 0 ? 0 : 2;
      std::memcpy(laned, laned + m * line, sizeof(T) * static_cast<size_t>(known * line));
      for (int64_t k = known; k < m + 2; ++k) {
        T* const to = laned + k * line;
        const int64_t row = source(height, first_row + i * m + k);
        if (row < 0) {
          std::memset(to, 0, sizeof(T) * static_cast<size_t>(line));
          continue;
        }
        const T* const from = image + row * width.in * plan_.input_block;
        const auto border = [&](int64_t j) {
          const int64_t column = source(width, first_column + j);
          if (is_blocked) {
            for (int64_t c = 0; c < lanes; ++c)
              to[j * lanes + c] = column >= 0 ? from[column * lanes + c] : T{0};
            return;
          }
          for (int64_t c = 0; c < lanes; ++c)
            to[j * lanes + c] = column >= 0 && c < channels ? from[c * plane + column] : T{0};
        };
        for (int64_t j = 0; j < begin; ++j) border(j);
        if (is_blocked) {
          std::memcpy(to + begin * lanes, from + (first_column + begin) * lanes,
                      sizeof(T) * static_cast<size_t>((end - begin) * lanes));
        } else {
          kernels_.transpose(channels, end - begin, from + first_column + begin, plane, to + begin * lanes,
                             lanes);
        }
        for (int64_t j = end; j < columns; ++j) border(j);
      }
      kernels_.winograd_input(s_.m, {laned, line, r.columns,
                                     v + (vector * b.tiles + r.tile + i * r.columns) * lanes, point_of_v(b)});
    }
  }

  // Where a position is read; -1 for a zero, as in what only the last tiles' surplus outputs read.
  int64_t source(const Axis& axis, int64_t position) const {
    return position < axis.in + axis.pad_after ? padded_position(plan_.padding_mode, position, axis.in) : -1;
  }

  // Some panels of output channels from v.
  void multiply(const Block& b, const Panels& panels, const T* v, const TileFlags& flags) const {
    ArenaFrame arena;
    T* const products = arena.take<T>(panels.count * products_of_panel(b));
    if (weights_.u.size() > 0) {
      multiply_by_packed(b, panels, v, products);
    } else {
      multiply_by_fresh(b, panels.first, v, products);
    }
    for (int64_t panel = 0; panel < panels.count; ++panel) {
      write_panel(b, panels.first + panel, products + panel * products_of_panel(b), flags);
    }
  }

  // Point by point: all panels of a point meet its inputs, a few KB, while these are near, and both are read
  // once.
  void multiply_by_packed(const Block& b, const Panels& panels, const T* v, T* products) const {
    const T* const first_u = weights_.u.data() + s_.panel_at(b.group, panels.first);
    const auto weights_at = [&](int64_t panel, int64_t p) {
      return first_u + panel * s_.panel_weights(0) +
             p * s_.point_weights(s_.vectors_of(panels.first + panel));
    };
    for (int64_t p = 0; p < s_.points; ++p) {
      for (int64_t panel = 0; panel < panels.count; ++panel) {
        const int64_t vectors = s_.vectors_of(panels.first + panel);
        const T* const next = panel + 1 < panels.count ? weights_at(panel + 1, p) : weights_at(0, p + 1);
        kernels_.winograd_product(
            static_cast<int>(vectors), b.tiles,
            {v + p * point_of_v(b), b.tiles * s_.lanes, s_.in_vectors, weights_at(panel, p), next, false,
             products + panel * products_of_panel(b) + p * point_of_products(b, vectors)});
      }
    }
  }

  // One panel, whose weights are transformed for a block of channels at a time and multiplied at once, from
  // L2.
  void multiply_by_fresh(const Block& b, int64_t panel, const T* v, T* products) const {
    const int64_t vectors = s_.vectors_of(panel), width = vectors * s_.lanes;
    const int64_t point = kWinogradBlock * width + s_.gap();
    ArenaFrame arena;
    T* const u = arena.take<T>(s_.points * point);
    for (int64_t first = 0; first < s_.in_channels; first += kWinogradBlock) {
      const int64_t channels = std::min<int64_t>(kWinogradBlock, s_.in_channels - first);
      weights_.borrowed->run(kernels_, b.group, panel, first, channels, u, point);
      for (int64_t p = 0; p < s_.points; ++p) {
        kernels_.winograd_product(
            static_cast<int>(vectors), b.tiles,
            {v + p * point_of_v(b) + first * b.tiles, b.tiles * s_.lanes, ceil_div(channels, s_.lanes),
             u + p * point, u + (p + 1) * point, first > 0, products + p * point_of_products(b, vectors)});
      }
    }
  }

  void write_panel(const Block& b, int64_t panel, const T* products, const TileFlags& flags) const {
    const int64_t lanes = s_.lanes, vectors = s_.vectors_of(panel), width = vectors * lanes;
    each_rectangle(b, [&](const Rectangle& r) {
      ArenaFrame frame;
      T* const rows = frame.take<T>(s_.m * r.columns * s_.m * lanes);
      for (int64_t vector = 0; vector < vectors; ++vector) {
        for (int64_t i = 0; i < r.rows; ++i) {
          const bool is_finite = write_tiles(
              b.group, panel * kWinogradVectors + vector, r, i,
              {products + (r.tile + i * r.columns) * width + vector * lanes, point_of_products(b, vectors),
               width, r.columns, nullptr, weights_.lo, weights_.hi, rows, r.columns * s_.m * lanes});
          if (!is_finite) flags.set(r.image, (r.first_row + i) * s_.m, 0);
        }
        if (context_.epilogue != nullptr) finish(b.group, panel * kWinogradVectors + vector, r);
      }
    });
  }

  // What the outputs of a rectangle's tiles, for one vector of channels, are finished by.
  void finish(int64_t group, int64_t vector, const Rectangle& r) const {
    const Axis &height = plan_.axis[1], &width = plan_.axis[2];
    const int64_t lanes = s_.lanes, first_channel = vector * lanes, plane = height.out * width.out;
    const int64_t row = r.first_row * s_.m, column = r.first_column * s_.m;
    const int64_t rows = std::min(r.rows * s_.m, height.out - row);
    const int64_t pixels = std::min(r.columns * s_.m, width.out - column);
    const int64_t channels = std::min(lanes, s_.out_channels - first_channel);
    if (plan_.output_block > 1) {
      T* const blocks = y_ + ((r.image * s_.out_vectors + vector) * plane + row * width.out + column) * lanes;
      if (pixels == width.out) return context_.epilogue->run(blocks, 1, 0, rows * pixels * lanes);
      return context_.epilogue->run(blocks, rows, width.out * lanes, pixels * lanes);
    }
    T* const y = y_ + (r.image * plan_.out_channels + group * s_.out_channels + first_channel) * plane +
                 row * width.out + column;
    if (pixels == width.out) return context_.epilogue->run(y, channels, plane, rows * pixels);
    for (int64_t i = 0; i < rows; ++i) context_.epilogue->run(y + i * width.out, channels, plane, pixels);
  }

  // Row i of a rectangle of tiles, for one vector of output channels; false when a sum is not finite. Whole
  // tiles go where they belong in blocks, others by way of output.rows.
  bool write_tiles(int64_t group, int64_t vector, const Rectangle& r, int64_t i,
                   WinogradOutput<T> output) const {
    const Axis &height = plan_.axis[1], &width = plan_.axis[2];
    const int64_t lanes = s_.lanes, first_channel = vector * lanes;
    output.bias = weights_.bias.data() + group * s_.out_vectors * lanes + first_channel;
    const int64_t row = (r.first_row + i) * s_.m, column = r.first_column * s_.m;
    const int64_t pixels = std::min(r.columns * s_.m, width.out - column);
    const int64_t plane = height.out * width.out;
    const int channels = static_cast<int>(std::min(lanes, s_.out_channels - first_channel));
    const int64_t rows = std::min<int64_t>(s_.m, height.out - row);
    if (plan_.output_block > 1) {
      T* const blocks = y_ + ((r.image * s_.out_vectors + vector) * plane + row * width.out + column) * lanes;
      if (rows == s_.m && pixels == r.columns * s_.m) {
        output.rows = blocks;
        output.row = width.out * lanes;
        return kernels_.winograd_output(s_.m, output);
      }
      const bool is_finite = kernels_.winograd_output(s_.m, output);
      for (int64_t k = 0; k < rows; ++k) {
        std::memcpy(blocks + k * width.out * lanes, output.rows + k * output.row,
                    sizeof(T) * static_cast<size_t>(pixels * lanes));
      }
      return is_finite;
    }
    const bool is_finite = kernels_.winograd_output(s_.m, output);
    T* to = y_ + (r.image * plan_.out_channels + group * s_.out_channels + first_channel) * plane +
            row * width.out + column;
    for (int64_t k = 0; k < rows; ++k) {
      kernels_.unlane_rows(channels, pixels, output.rows + k * output.row, to + k * width.out, plane);
    }
    return is_finite;
  }

  const Context& context_;
  const Kernels<T>& kernels_;
  const ConvPlan& plan_;
  const WinogradShape<T> s_;
  const PackedWinograd<T>& weights_;
  const T* const x_;
  T* const y_;
  const int64_t tile_rows_, tile_columns_;
  const int64_t tiles_;  // of all images, in one group
};

// For one run over so few tiles that each panel is multiplied once, it is transformed then, into the cache.
template <typename T>
PackedWinograd<T> pack_weights(const Context& context, const ConvPlan& plan, WeightOrder order,
                               const T* weight, const T* bias, double lo, double hi) {
  const Kernels<T>& kernels = context.kernels->of<T>();
  const WinogradShape<T> s(kernels, plan);
  const int64_t padded = s.out_vectors * s.lanes;
  const WeightTransform<T> transform(s, order, weight);
  PackedWinograd<T> w{{}, {}, AlignedArray<T>(plan.groups * padded), static_cast<T>(lo), static_cast<T>(hi)};
  for (int64_t i = 0; i < plan.groups * padded; ++i) {
    const int64_t group = i / padded, k = i % padded;
    w.bias.data()[i] = bias != nullptr && k < s.out_channels ? bias[group * s.out_channels + k] : T{0};
  }
  if (context.ownership == Ownership::borrowed && WinogradRun<T>::is_one_block(context, plan, w)) {
    w.borrowed.emplace(transform);
    return w;
  }
  w.u = AlignedArray<T>(plan.groups * s.group_weights());
  const double cost_ns = static_cast<double>(w.u.size()) * kNsPerTransformedWeight;
  parallel_for(plan.groups * s.panels, cost_ns, [&](int64_t i) {
    const int64_t group = i / s.panels, panel = i % s.panels;
    transform.run(kernels, group, panel, 0, s.in_channels, w.u.data() + s.panel_at(group, panel),
                  s.point_weights(s.vectors_of(panel)));
  });
  return w;
}

// weight is that of the convolution whose adjoint the plan is.
template <typename T>
std::shared_ptr<const ConvRunner> pack_direct_adjoint(const Context& context, const ConvPlan& plan,
                                                      const void* weight, const void* bias, double lo,
                                                      double hi) {
  const int64_t in = plan.in_channels / plan.groups, out = plan.out_channels / plan.groups;
  const T* from = static_cast<const T*>(weight);
  AlignedArray<T> own(plan.out_channels * in * 9);
  for (int64_t group = 0; group < plan.groups; ++group) {
    T* const to = own.data() + group * out * in * 9;
    for (int64_t c = 0; c < in; ++c) {
      for (int64_t o = 0; o < out; ++o, from += 9) std::reverse_copy(from, from + 9, to + (o * in + c) * 9);
    }
  }
  return pack_direct_forward(context, plan, own.data(), bias, lo, hi);
}

template <typename T>
class WinogradConv final : public ConvRunner {
 public:
  WinogradConv(const Context& context, const ConvPlan& plan, WeightOrder order, const T* weight,
               const T* bias, double lo, double hi)
      : weights_(pack_weights(context, plan, order, weight, bias, lo, hi)),
        resummation_(context, plan, order == WeightOrder::own ? pack_direct_forward : pack_direct_adjoint<T>,
                     weight, bias, lo, hi) {}
  bool applies_epilogue() const override { return true; }
  size_t bytes() const override {
    return sizeof(*this) + weights_.u.bytes() + weights_.bias.bytes() + resummation_.bytes();
  }
  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    const T* const x = static_cast<const T*>(input);
    T* const y = static_cast<T*>(output);
    ArenaFrame arena;
    const TileFlags flags(arena, plan, plan.variant, std::max<int64_t>(1, plan.axis[2].out));
    WinogradRun<T>(context, plan, weights_, x, y).run(flags);
    resummation_.run(context, plan, flags, x, y);
  }

 private:
  const PackedWinograd<T> weights_;
  const Resummation<T> resummation_;
};

template <typename T>
std::shared_ptr<const ConvRunner> make(const Context& context, const ConvPlan& plan, WeightOrder order,
                                       const void* weight, const void* bias, double lo, double hi) {
  return std::make_shared<WinogradConv<T>>(context, plan, order, static_cast<const T*>(weight),
                                           static_cast<const T*>(bias), lo, hi);
}

template <WeightOrder order>
std::shared_ptr<const ConvRunner> pack_forward(const Context& context, const ConvPlan& plan,
                                               const void* weight, const void* bias, double lo, double hi) {
  return dispatch_float(plan.dtype, [&](auto zero) {
    return make<decltype(zero)>(context, plan, order, weight, bias, lo, hi);
  });
}

// The weights' transform takes them as they are, in either direction.
std::shared_ptr<const ConvRunner> pack_both(const Context& context, const ConvPlan& plan, const void* weight,
                                            const void* bias, double lo, double hi) {
  if (plan.op == ConvOp::forward) return pack_forward<WeightOrder::own>(context, plan, weight, bias, lo, hi);
  return pack_input_grad(context, plan, pack_forward<WeightOrder::adjoint>, WeightOverDy::own, weight, bias,
                         lo, hi);
}

}  // namespace

const ConvAlgorithm winograd_algorithm = {
    [](const ConvPlan& plan) { return serves_computed(plan, is_winograd_plan); },
    "3x3 kernels of stride and dilation 1 over two axes, and tiles of 2 or 4 outputs", pack_both,
    [](const ConvPlan& plan) {
      return plan.op == ConvOp::forward && plan.groups == 1 && plan.dtype == DType::f32 &&
             is_winograd_plan(plan);
    }};

}  // namespace convmat
