#include "conv/toeplitz/box.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "plan/arith.h"
#include "runtime/tuning.h"

namespace convmat {
namespace {

// Products per row up to which the outputs at its ends are summed one by one sooner than gathered into tiles.
constexpr int64_t kEdgeProducts = 40;
// Products that are summed in order, which is what a sum of them errs by: lib/plan/algorithms/direct.ts has
// the same number. More of them are summed so many at a time, which errs no more than a product of matrices.
constexpr int64_t kProductsInOrder = 384, kProductsAtATime = 128;

// A NaN compares false and stays.
template <typename T>
T clamped(T value, T lo, T hi) {
  return value < lo ? lo : value > hi ? hi : value;
}

}  // namespace

template <typename T>
ToeplitzBox<T>::ToeplitzBox(const ToeplitzProblem<T>& problem, ArenaFrame& frame) : problem_(problem) {
  const ToeplitzBlocking& blocking = problem_.kernels->toeplitz_blocking;
  const auto& [depth, height, width] = problem_.axes;
  const int64_t slices = problem_.read * static_cast<int64_t>(depth.taps.size());
  const int64_t taps =
      slices * static_cast<int64_t>(height.taps.size()) * static_cast<int64_t>(width.taps.size());
  has_taps_ = taps > 0;
  is_stored_in_place_ = width.step == 1 && !problem_.is_padding;
  tile_columns_ = blocking.lanes * (height.count == 1 ? blocking.sums : blocking.sums / 2);
  direct_offsets_ = frame.take<int64_t>(taps);
  panel_offsets_ = frame.take<int64_t>(taps);

  // Reading in place needs neighbouring columns to be neighbours in the source.
  const bool in_place =
      has_taps_ && width.stride == 1 && problem_.written < tuning::kToeplitzGatheredChannels;
  set_panel();
  rows_ = stretches(height, band_rows_, band_rows_, 1, in_place);
  // What is stored in place needs no scratch, and so no end of a tile.
  const int64_t longest =
      is_stored_in_place_ ? std::max<int64_t>(1, round_up(width.count, blocking.lanes)) : tile_columns_;
  columns_ = stretches(width, tile_columns_, longest, blocking.lanes, in_place);
  if (in_place && is_stored_in_place_ && width.mode == PaddingMode::zeros) set_edges();
  // Few taps serve a whole sweep along the rows, as memory likes it; many are better kept for the band.
  const int64_t tile_rows =
      toeplitz_count(std::min(static_cast<int64_t>(height.taps.size()), int64_t{blocking.mr}));
  sweep_rows_ = problem_.read == 1 ? std::max<int64_t>(tile_rows, 1) : band_rows_;
}

// Rows and columns in stretches of at most `size`; when `split`, those whose taps lie inside the source
// apart, and of at most `inside_size`.
template <typename T>
std::vector<typename ToeplitzBox<T>::Stretch> ToeplitzBox<T>::stretches(const ToeplitzAxis& axis,
                                                                        int64_t size, int64_t inside_size,
                                                                        int64_t quantum, bool split) {
  int64_t first = axis.count, last = axis.count;
  if (split) {
    const int64_t inside = std::clamp<int64_t>(signed_ceil_div(-axis.lowest(), axis.stride), 0, axis.count);
    const int64_t outside = std::clamp<int64_t>(
        signed_floor_div(axis.source - 1 - axis.offsets.back(), axis.stride) + 1, 0, axis.count);
    first = std::min(axis.count, round_up(inside, quantum));
    last =
        outside == axis.count ? outside : first + std::max<int64_t>(0, outside - first) / quantum * quantum;
    if (last <= first) first = last = axis.count;
  }
  std::vector<Stretch> all;
  const auto cut = [&](int64_t begin, int64_t end, bool is_inside) {
    if (begin == end) return;
    const int64_t most = is_inside ? inside_size : size;
    const int64_t pieces = ceil_div(end - begin, most);
    // Even pieces of whole quanta.
    const int64_t each = round_up(ceil_div(end - begin, pieces), quantum);
    for (int64_t at = begin; at < end; at += each) all.push_back({at, std::min(end, at + each), is_inside});
  };
  cut(0, first, false);
  cut(first, last, true);
  cut(last, axis.count, false);
  return all;
}

// panel[read channel][depth tap][row][residue of the stride][column] <-- source
template <typename T>
void ToeplitzBox<T>::set_panel() {
  const auto &depth = problem_.axes[0], &height = problem_.axes[1], &width = problem_.axes[2];
  band_rows_ = std::min<int64_t>(tuning::kToeplitzBandRows, std::max<int64_t>(1, height.count));
  panel_rows_ = panel_stretch_ = panel_row_ = 0;
  if (!has_taps_) return;
  const int64_t slices = problem_.read * static_cast<int64_t>(depth.taps.size());
  const int64_t residues = std::min(width.stride, width.reach() + 1);
  const auto stretch_of = [&](int64_t columns) { return columns + width.reach() / width.stride; };
  const auto rows_of = [&](int64_t band) { return (band - 1) * height.stride + height.reach() + 1; };
  const auto fits = [&](int64_t band, int64_t columns) {
    const int64_t row_bytes = slices * residues * stretch_of(columns) * static_cast<int64_t>(sizeof(T));
    return rows_of(band) * row_bytes <= tuning::kToeplitzPanelBytes;
  };
  // As wide as fits: results that leave the caches are written sooner in long pieces of their rows. 32
  // channels of 500 x 1000 from 3 x 3 of one take 4.4 ms instead of 17 (AVX-512, Xeon of the Sapphire Rapids
  // kind).
  while (is_stored_in_place_ && tile_columns_ < width.count && fits(band_rows_, 2 * tile_columns_))
    tile_columns_ *= 2;
  const int64_t columns =
      std::min(tile_columns_, round_up(width.count, problem_.kernels->toeplitz_blocking.lanes));
  panel_stretch_ = stretch_of(columns);
  panel_row_ = panel_stretch_ * residues;
  while (band_rows_ > 1 && !fits(band_rows_, columns)) --band_rows_;
  panel_rows_ = rows_of(band_rows_);

  int64_t* direct = direct_offsets_;
  int64_t* panel = panel_offsets_;
  for (int64_t channel = 0; channel < problem_.read; ++channel) {
    for (size_t d = 0; d < depth.taps.size(); ++d) {
      const int64_t slice = channel * depth.source + depth.offsets[d];
      const int64_t panel_slice = channel * static_cast<int64_t>(depth.taps.size()) + static_cast<int64_t>(d);
      for (int64_t h : height.offsets) {
        for (int64_t w : width.offsets) {
          *direct++ = (slice * height.source + h) * width.source + w;
          const int64_t right = w - width.lowest();
          *panel++ = (panel_slice * panel_rows_ + h - height.lowest()) * panel_row_ +
                     right % width.stride * panel_stretch_ + right / width.stride;
        }
      }
    }
  }
  lowest_offset_ = *std::min_element(direct_offsets_, direct);
  highest_offset_ = *std::max_element(direct_offsets_, direct);
}

// Whole rows are swept as if their ends were inside, and what the ends read from the neighbouring rows is
// replaced.
template <typename T>
void ToeplitzBox<T>::set_edges() {
  const ToeplitzAxis& width = problem_.axes[2];
  const int64_t left = std::clamp<int64_t>(-width.lowest(), 0, width.count);
  const int64_t right = std::clamp<int64_t>(width.source - width.offsets.back(), left, width.count);
  const int64_t taps = problem_.read * static_cast<int64_t>(problem_.axes[0].taps.size() *
                                                            problem_.axes[1].taps.size() * width.taps.size());
  if ((left + width.count - right) * taps * problem_.written > kEdgeProducts) return;
  sweeps_whole_rows_ = true;
  for (size_t group = 0; group < problem_.taps->groups(); ++group) {
    std::vector<Edge> edges;
    for (const ToeplitzBlock<T>& block : problem_.taps->blocks(static_cast<int64_t>(group))) {
      for (int64_t channel = 0; channel < block.channels; ++channel) {
        for (int64_t column = 0; column < left; ++column) add_edge(block, channel, column, edges);
        for (int64_t column = right; column < width.count; ++column) add_edge(block, channel, column, edges);
      }
    }
    edges_.push_back(std::move(edges));
  }
}

template <typename T>
void ToeplitzBox<T>::add_edge(const ToeplitzBlock<T>& block, int64_t channel, int64_t column,
                              std::vector<Edge>& edges) {
  const auto& [depth, height, width] = problem_.axes;
  const int64_t taps_wide = static_cast<int64_t>(width.taps.size());
  const int64_t high = block.form == ToeplitzForm::plane ? static_cast<int64_t>(height.taps.size()) : 1;
  const size_t begin = edge_taps_.size();
  for (int64_t step = 0; step < block.steps; ++step) {
    for (int64_t h = 0; h < high; ++h) {
      const int64_t tap = block.taps[step] + h * taps_wide;
      const int64_t at = column + width.offsets[static_cast<size_t>(tap % taps_wide)];
      if (at < 0 || at >= width.source) continue;
      edge_taps_.push_back(
          {direct_offsets_[tap] + column, block.weights[(step * high + h) * block.channels + channel]});
    }
  }
  edges.push_back({block.channel + channel, column, begin, edge_taps_.size()});
}

template <typename T>
void ToeplitzBox<T>::run_edges(int64_t group, const T* x, int64_t depth, const Stretch& rows, T* y) const {
  const auto& [depth_axis, height, width] = problem_.axes;
  for (const Edge& edge : edges_[static_cast<size_t>(group)]) {
    const T start = problem_.bias == nullptr ? T{0} : problem_.bias[group * problem_.written + edge.channel];
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const T* const from =
          x + (depth * depth_axis.stride * height.source + row * height.stride) * width.source;
      T sum = start;
      for (size_t i = edge.begin; i < edge.end; ++i) sum += edge_taps_[i].weight * from[edge_taps_[i].offset];
      *place_of(edge.channel, depth, row, edge.column, y) = clamped(sum, problem_.lo, problem_.hi);
    }
  }
}

// Where an output is stored.
template <typename T>
T* ToeplitzBox<T>::place_of(int64_t channel, int64_t depth, int64_t row, int64_t column, T* y) const {
  const auto& [depth_axis, height, width] = problem_.axes;
  const int64_t slice = channel * problem_.out[0] + depth_axis.first + depth * depth_axis.step;
  return y + (slice * problem_.out[1] + height.first + row * height.step) * problem_.out[2] + width.first +
         column * width.step;
}

template <typename T>
double ToeplitzBox<T>::cost_ns() const {
  const auto& [depth, height, width] = problem_.axes;
  const auto places = static_cast<double>(depth.count * height.count * width.count);
  // Few taps take no longer than their results do to be written.
  constexpr double kNsPerResult = 0.25;
  return places * (problem_.taps->products() / problem_.kernels->gemm_blocking.fma_per_ns +
                   static_cast<double>(problem_.written) * kNsPerResult);
}

template <typename T>
void ToeplitzBox<T>::run(int64_t band, int64_t group, const T* x, T* y) const {
  const auto &depth_axis = problem_.axes[0], &height = problem_.axes[1], &width = problem_.axes[2];
  const ToeplitzBlocking& blocking = problem_.kernels->toeplitz_blocking;
  const int64_t bands = static_cast<int64_t>(rows_.size());
  const int64_t depth = band / bands;
  const Stretch& rows = rows_[static_cast<size_t>(band % bands)];

  ArenaFrame frame;
  const int64_t slices = problem_.read * static_cast<int64_t>(depth_axis.taps.size());
  T* const panel = frame.take<T>(slices * panel_rows_ * panel_row_ + blocking.lanes);
  T* const scratch =
      is_stored_in_place_
          ? nullptr
          : frame.take<T>(std::max(blocking.mr, blocking.sums) * blocking.lanes * blocking.sums);

  const int64_t z = depth * depth_axis.stride;
  const bool depth_inside =
      has_taps_ && z + depth_axis.lowest() >= 0 && z + depth_axis.offsets.back() < depth_axis.source;
  const bool band_inside = depth_inside && rows.is_inside;
  const int64_t row_step = height.stride * width.source;
  const auto fits = [&](const Stretch& part, const Stretch& columns) {
    const int64_t first = (z * height.source + part.begin * height.stride) * width.source + columns.begin;
    return band_inside && columns.is_inside && first + lowest_offset_ >= 0 &&
           problem_.source_end - x > first + highest_offset_ + (part.end - part.begin - 1) * row_step +
                                         round_up(columns.end - columns.begin, blocking.lanes) - 1;
  };
  const auto sweep = [&](const Stretch& columns) {
    for (int64_t at = rows.begin; at < rows.end; at += sweep_rows_) {
      const Stretch part{at, std::min(rows.end, at + sweep_rows_), true};
      const int64_t first = (z * height.source + at * height.stride) * width.source + columns.begin;
      run_tile({x + first, row_step, direct_offsets_}, group, depth, part, columns, scratch, y);
    }
  };
  const Stretch whole{0, width.count, true};
  if (sweeps_whole_rows_ && fits(rows, whole)) {
    sweep(whole);
    run_edges(group, x, depth, rows, y);
    return;
  }
  for (const Stretch& columns : columns_) {
    if (fits(rows, columns)) {
      sweep(columns);
      continue;
    }
    // A panel holds no more than a tile; only the end of the source can cut a longer stretch.
    for (int64_t begin = columns.begin; begin < columns.end; begin += tile_columns_) {
      const Stretch tile{begin, std::min(columns.end, begin + tile_columns_), columns.is_inside};
      Input input{x, 0, direct_offsets_};
      if (has_taps_) {
        gather(x, z, rows, tile, panel);
        input = {panel, height.stride * panel_row_, panel_offsets_};
      }
      run_tile(input, group, depth, rows, tile, scratch, y);
    }
  }
}

template <typename T>
void ToeplitzBox<T>::gather(const T* x, int64_t z, const Stretch& rows, const Stretch& columns,
                            T* panel) const {
  const auto& [depth, height, width] = problem_.axes;
  const int64_t top = rows.begin * height.stride + height.lowest();
  const int64_t used_rows = (rows.end - rows.begin - 1) * height.stride + height.reach() + 1;
  const RowCut cut = cut_row(columns);
  for (int64_t channel = 0; channel < problem_.read; ++channel) {
    for (int64_t offset : depth.offsets) {
      const int64_t slice = source_of(z + offset, depth.source, depth.mode);
      for (int64_t r = 0; r < used_rows; ++r) {
        const int64_t row = source_of(top + r, height.source, height.mode);
        if (slice < 0 || row < 0) {
          std::memset(panel + r * panel_row_, 0, sizeof(T) * static_cast<size_t>(panel_row_));
        } else {
          const int64_t line = (channel * depth.source + slice) * height.source + row;
          gather_row(x + line * width.source, cut, panel + r * panel_row_);
        }
      }
      panel += panel_rows_ * panel_row_;
    }
  }
}

template <typename T>
typename ToeplitzBox<T>::RowCut ToeplitzBox<T>::cut_row(const Stretch& columns) const {
  const ToeplitzAxis& width = problem_.axes[2];
  const int64_t first = columns.begin * width.stride + width.lowest();
  const int64_t count = (columns.end - columns.begin - 1) * width.stride + width.reach() + 1;
  const int64_t before = std::clamp<int64_t>(-first, 0, count);
  return {first, count, before, std::clamp<int64_t>(width.source - first, before, count)};
}

// The row's elements that some columns read, one residue of the stride after the other; zeros up to whole
// vectors.
template <typename T>
void ToeplitzBox<T>::gather_row(const T* from, const RowCut& cut, T* to) const {
  const ToeplitzAxis& width = problem_.axes[2];
  const auto outer = [&](int64_t i) {
    const int64_t at = source_of(cut.first + i, width.source, width.mode);
    return at < 0 ? T{0} : from[at];
  };
  if (width.stride == 1) {
    for (int64_t i = 0; i < cut.before; ++i) to[i] = outer(i);
    if (cut.inside > cut.before) {
      std::memcpy(to + cut.before, from + cut.first + cut.before,
                  sizeof(T) * static_cast<size_t>(cut.inside - cut.before));
    }
    for (int64_t i = cut.inside; i < cut.count; ++i) to[i] = outer(i);
    for (int64_t i = cut.count; i < panel_row_; ++i) to[i] = T{0};
    return;
  }
  const int64_t residues = panel_row_ / panel_stretch_;
  for (int64_t residue = 0; residue < residues; ++residue, to += panel_stretch_) {
    int64_t i = residue, column = 0;
    for (; i < cut.before; i += width.stride) to[column++] = outer(i);
    for (; i < cut.inside; i += width.stride) to[column++] = from[cut.first + i];
    for (; i < cut.count; i += width.stride) to[column++] = outer(i);
    while (column < panel_stretch_) to[column++] = T{0};
  }
}

template <typename T>
void ToeplitzBox<T>::run_tile(const Input& input, int64_t group, int64_t depth, const Stretch& rows,
                              const Stretch& columns, T* scratch, T* y) const {
  const T* const bias = problem_.bias == nullptr ? nullptr : problem_.bias + group * problem_.written;
  for (const ToeplitzBlock<T>& block : problem_.taps->blocks(group)) {
    run_block(block, input, bias == nullptr ? nullptr : bias + block.channel, depth, rows, columns, scratch,
              y);
  }
}

template <typename T>
void ToeplitzBox<T>::sum_in_order(const Sum& sum, const ToeplitzTile<T>& tile) const {
  const Kernels<T>& kernels = *problem_.kernels;
  switch (sum.form) {
    case ToeplitzForm::rows:
      return kernels.toeplitz_rows(static_cast<int>(sum.rows), sum.vectors, tile);
    case ToeplitzForm::channels:
      return kernels.toeplitz_channels(static_cast<int>(sum.channels), sum.vectors, tile);
    case ToeplitzForm::plane:
      return kernels.toeplitz_plane(static_cast<int>(sum.rows), sum.vectors, tile);
  }
}

template <typename T>
void ToeplitzBox<T>::sum_tile(const Sum& sum, const ToeplitzTile<T>& tile) const {
  const bool is_plane = sum.form == ToeplitzForm::plane, has_channels = sum.form == ToeplitzForm::channels;
  const int64_t step_products = is_plane ? tile.height : 1;
  if (tile.steps == 1 || tile.steps * step_products <= kProductsInOrder) return sum_in_order(sum, tile);
  const int64_t steps = std::max<int64_t>(1, kProductsAtATime / step_products);
  const int64_t lines = has_channels ? sum.channels : sum.rows, step_weights = is_plane       ? tile.height
                                                                               : has_channels ? sum.channels
                                                                                              : 1;
  const int64_t y_line = has_channels ? tile.y_channel : tile.y_row;
  ArenaFrame frame;
  ToeplitzTile<T> part = tile;
  part.steps = steps;
  part.lo = -std::numeric_limits<T>::infinity();
  part.hi = std::numeric_limits<T>::infinity();
  sum_in_order(sum, part);
  part.bias = nullptr;
  part.y = frame.take<T>(lines * tile.n);
  part.y_row = part.y_channel = tile.n;
  for (int64_t first = steps; first < tile.steps; first += steps) {
    part.taps += steps;
    part.weights += steps * step_weights;
    part.steps = std::min(steps, tile.steps - first);
    sum_in_order(sum, part);
    const bool is_last = first + steps >= tile.steps;
    for (int64_t line = 0; line < lines; ++line) {
      T* const to = tile.y + line * y_line;
      const T* const from = part.y + line * tile.n;
      for (int64_t i = 0; i < tile.n; ++i) to[i] += from[i];
      for (int64_t i = 0; is_last && i < tile.n; ++i) to[i] = clamped(to[i], tile.lo, tile.hi);
    }
  }
}

template <typename T>
void ToeplitzBox<T>::run_block(const ToeplitzBlock<T>& block, const Input& input, const T* bias,
                               int64_t depth, const Stretch& rows, const Stretch& columns, T* scratch,
                               T* y) const {
  const auto& [depth_axis, height, width] = problem_.axes;
  const Kernels<T>& kernels = *problem_.kernels;
  const ToeplitzBlocking& blocking = kernels.toeplitz_blocking;
  const int64_t taps_high = static_cast<int64_t>(height.taps.size());
  const int64_t plane = problem_.out[0] * problem_.out[1] * problem_.out[2];
  const int64_t row_count = rows.end - rows.begin;

  ToeplitzTile<T> tile{};
  tile.x_row = input.row;
  tile.offsets = input.offsets;
  tile.taps = block.taps;
  tile.weights = block.weights;
  tile.steps = block.steps;
  tile.height = taps_high;
  tile.bias = bias;
  tile.lo = problem_.lo;
  tile.hi = problem_.hi;

  for (int64_t column = columns.begin; column < columns.end;) {
    // As many vectors as the form takes at a time, and never more than hold what is left.
    const int64_t left = ceil_div(columns.end - column, blocking.lanes);
    int64_t vectors = 1, most_rows = 1;
    switch (block.form) {
      case ToeplitzForm::rows:
        while (2 * vectors <= std::min<int64_t>(left, blocking.sums / std::min<int64_t>(row_count, 4)))
          vectors *= 2;
        most_rows = blocking.sums / vectors;
        break;
      case ToeplitzForm::channels:
        vectors = std::min<int64_t>(left, blocking.nv);
        break;
      case ToeplitzForm::plane:
        most_rows = toeplitz_count(std::min<int64_t>(taps_high, blocking.mr));
        if (most_rows <= blocking.wide_mr && left >= blocking.wide_nv) {
          vectors = blocking.wide_nv;
        } else {
          vectors = std::min<int64_t>(left, blocking.nv);
        }
        break;
    }
    const int64_t width_now = vectors * blocking.lanes;
    // As many whole turns as there are; what is left over takes fewer vectors.
    tile.n = std::min(columns.end - column, std::max<int64_t>(1, left / vectors) * width_now);
    for (int64_t first = 0, count; first < row_count; first += count) {
      count = toeplitz_count(std::min(most_rows, row_count - first));
      const int64_t row = rows.begin + first;
      tile.x = input.x + first * input.row + (column - columns.begin);
      if (is_stored_in_place_) {
        tile.y = place_of(block.channel, depth, row, column, y);
        tile.y_row = height.step * problem_.out[2];
        tile.y_channel = plane;
      } else {
        tile.y = scratch;
        tile.y_row = tile.n;
        tile.y_channel = tile.n;
      }
      const Sum sum = {block.form, block.channels, count, static_cast<int>(vectors)};
      sum_tile(sum, tile);
      if (!is_stored_in_place_) {
        deliver(scratch, block.channels, count, tile.n, depth, row, column, y + block.channel * plane);
      }
    }
    column += tile.n;
  }
}

// y[channel][row][column * step] <-- from[channel or row][column], or the sum with it where the box is
// padding.
template <typename T>
void ToeplitzBox<T>::deliver(const T* from, int64_t channels, int64_t rows, int64_t columns, int64_t depth,
                             int64_t row, int64_t column, T* y) const {
  const auto& [depth_axis, height, width] = problem_.axes;
  const auto place = [&](const ToeplitzAxis& axis, int64_t output, int64_t size) {
    const int64_t at = axis.first + output * axis.step;
    return problem_.is_padding ? source_of(at, size, problem_.padding_mode) : at;
  };
  const int64_t slice = place(depth_axis, depth, problem_.out[0]) * problem_.out[1];
  for (int64_t channel = 0; channel < channels; ++channel) {
    for (int64_t r = 0; r < rows; ++r) {
      T* const to = y + (slice + place(height, row + r, problem_.out[1])) * problem_.out[2];
      if (problem_.is_padding) {
        for (int64_t i = 0; i < columns; ++i) to[place(width, column + i, problem_.out[2])] += from[i];
      } else {
        T* const first = to + width.first + column * width.step;
        for (int64_t i = 0; i < columns; ++i) first[i * width.step] = from[i];
      }
      from += columns;
    }
    y += problem_.out[0] * problem_.out[1] * problem_.out[2];
  }
}

template class ToeplitzBox<float>;
template class ToeplitzBox<double>;

}  // namespace convmat
