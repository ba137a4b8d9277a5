// A tile of rows x columns real points is transformed as rows x columns / 2 complex ones, whose imaginary
// parts are the right half of its columns: modulo z^half - i a real row of 2 half points is a complex one of
// half points, times powers of i^(1 / half) an ordinary transform evaluates it there (Nussbaumer's
// right-angle convolution), and products of spectra are those of real rows that wrap around with their signs
// turned. What wraps around is dropped, or zeros.
//
// A transform goes down strips of a cache line of columns, turns each as it leaves the cache, and goes down
// strips of rows, which lie in one piece; products and the way back follow while a strip is in cache.
#include "conv/fft/large_tiles.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <vector>

#include "geometry/lowering.h"
#include "ops/fft.h"
#include "plan/arith.h"
#include "runtime/aligned.h"
#include "runtime/arena.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

// One core's time for a point in one of a transform's passes, for sharing out.
constexpr double kNsPerPointAndPass = 0.25;

// How an axis is cut into tiles, each of which leaves `step` dense outputs right.
struct Cut {
  int64_t tiles, step;
};

// The fewest points of a tile that leaves all outputs right.
int64_t points_for_all(const Correlation& c, const CorrelationAxis& axis) {
  const int64_t reach = axis.reach(), outs = axis.dense_out(), read = outs + reach - 1;
  if (c.padding_mode != PaddingMode::zeros) return read;
  // Positions beyond the tile fall on those of its beginning: zeros fall on zeros.
  const int64_t last = std::min((axis.in - 1) * axis.spread, read - 1 - axis.pad_before);
  return std::min(read, std::max({read - std::max<int64_t>(axis.pad_before, 0), last + axis.pad_before + 1,
                                  reach, outs}));
}

Cut cut_of(const Correlation& c, const CorrelationAxis& axis, int64_t points) {
  if (points >= points_for_all(c, axis)) return {1, axis.dense_out()};
  const int64_t step = points - axis.reach() + 1;
  return {ceil_div(axis.dense_out(), step), step};
}

template <typename T>
class LargeTiles final : public FftCorrelation<T> {
 public:
  LargeTiles(const Context& context, const Correlation& c, int32_t variant, const T* w, const T* bias,
             double lo, double hi, int64_t kept_bytes)
      : FftCorrelation<T>(context, c, w, bias, lo, hi),
        rows_(variant >> 16),
        half_((variant & 0xffff) / 2),
        down_(rows_),
        across_(half_) {
    for (int64_t j = 0; j < half_; ++j) {
      const Root root = root_of_unity(j, 4 * half_);
      turn_re_.push_back(static_cast<T>(root.re));
      turn_im_.push_back(static_cast<T>(-root.im));
      turn_.push_back(turn_re_.back());
      turn_.push_back(turn_im_.back());
    }
    for (int64_t i = 0; i < kBlock; ++i) {
      ones_.push_back(T{1});
      zeros_.push_back(T{0});
      pairs_of_one_.push_back(T{1});
      pairs_of_one_.push_back(T{0});
    }
    const double plane_bytes = static_cast<double>(strips() * strip_size(1)) * sizeof(T);
    const double group_bytes = plane_bytes * static_cast<double>(c.read * c.written);
    written_at_once_ = c.written;
    if (group_bytes * static_cast<double>(c.groups) > static_cast<double>(kept_bytes)) {
      const auto channels =
          static_cast<int64_t>(static_cast<double>(kept_bytes) / plane_bytes / static_cast<double>(c.read));
      written_at_once_ = std::clamp<int64_t>(channels, 1, c.written);
      return;
    }
    for (int64_t group = 0; group < c.groups; ++group) {
      kept_.push_back(spectra_of(context, c, group, 0, c.written));
    }
  }

  size_t bytes() const override {
    size_t sum = sizeof(*this) + FftCorrelation<T>::bytes() + 6 * turn_re_.size() * sizeof(T);
    for (const AlignedArray<T>& spectra : kept_) sum += spectra.bytes();
    return sum;
  }

 private:
  static constexpr int64_t kBlock = kFftBlock<T>;
  static constexpr int64_t kPoint = 2 * kBlock;  // elements of a block of points: both parts

  // A tile's first row and column among the dense outputs, and the row and the column behind its last.
  struct Tile {
    Span rows, columns;
  };

  // Strips of rows, [strip][column][channel][part][row], and of columns that are transformed at a time.
  int64_t strips() const { return rows_ / kBlock; }
  int64_t column_strips() const { return half_ / kBlock; }
  // Off a multiple of what the sets of a cache span.
  int64_t strip_size(int64_t channels) const { return half_ * channels * kPoint + kPoint; }

  double transform_ns(int64_t channels) const {
    const double points = static_cast<double>(rows_ * half_ * channels);
    return points * std::log2(static_cast<double>(rows_ * half_)) * kNsPerPointAndPass;
  }

  // A strip of columns of one channel in the cache.
  struct Columns {
    T *re, *im;  // [rows][kBlock]
    T* scratch;
  };
  Columns take(ArenaFrame& arena) const {
    const int64_t plane = down_.plane_size(kBlock);
    return {arena.take<T>(plane), arena.take<T>(plane), arena.take<T>(down_.scratch_size(kBlock))};
  }

  // Transforms the columns of some channels, which gather(channel, column, columns) lays out; false from it
  // means that they are zeros.
  template <typename Gather>
  void forward_columns(const Context& context, int64_t channels, T* spectra, const Gather& gather) const {
    const Kernels<T>& kernels = context.kernels->of<T>();
    const int64_t size = strip_size(channels), pitch = channels * kPoint;
    parallel_for(channels * column_strips(), transform_ns(channels) / 2, [&](int64_t i) {
      if (context.is_cancelled()) return;
      const int64_t channel = i % channels, column = i / channels * kBlock;
      T* const to = spectra + column * pitch + channel * kPoint;
      ArenaFrame arena;
      const Columns columns = take(arena);
      if (!gather(channel, column, columns)) {
        for (int64_t strip = 0; strip < strips(); ++strip) {
          for (int64_t j = 0; j < kBlock; ++j) std::fill_n(to + strip * size + j * pitch, kPoint, T{0});
        }
        return;
      }
      down_.run(*context.kernels, {columns.re, columns.im, kBlock}, {columns.re, columns.im, kBlock}, kBlock,
                T{1}, columns.scratch);
      for (int64_t strip = 0; strip < strips(); ++strip) {
        T* const turned = to + strip * size;
        kernels.fft_twist({kBlock, kBlock, columns.re + strip * kBlock * kBlock,
                           columns.im + strip * kBlock * kBlock, kBlock, turn_re_.data() + column,
                           turn_im_.data() + column, 0, pairs_of_one_.data(), turned, turned + kBlock,
                           pitch});
      }
    });
  }

  void forward_rows(const KernelTable& kernels, int64_t channels, T* strip, T* scratch) const {
    for (int64_t channel = 0; channel < channels; ++channel) {
      T* const re = strip + channel * kPoint;
      const Rows<T> rows = {re, re + kBlock, channels * kPoint};
      across_.run(kernels, {rows.re, rows.im, rows.pitch}, rows, kBlock, T{1}, scratch);
    }
  }

  // Inverse transforms are forward ones with the parts exchanged, and so are powers of i^(1 / half).
  void inverse_rows(const KernelTable& kernels, int64_t channels, T* strip, T* scratch) const {
    for (int64_t channel = 0; channel < channels; ++channel) {
      T* const re = strip + channel * kPoint;
      const Rows<T> rows = {re + kBlock, re, channels * kPoint};
      across_.run(kernels, {rows.re, rows.im, rows.pitch}, rows, kBlock, T{1}, scratch);
    }
  }

  void inverse_columns(const KernelTable& table, int64_t channels, const T* spectra, int64_t channel,
                       int64_t column, const Columns& columns) const {
    const int64_t size = strip_size(channels), pitch = channels * kPoint;
    const T* const from = spectra + column * pitch + channel * kPoint;
    for (int64_t strip = 0; strip < strips(); ++strip) {
      const T* const turned = from + strip * size;
      table.of<T>().fft_twist({kBlock, kBlock, turned + kBlock, turned, pitch, ones_.data(), zeros_.data(), 0,
                               turn_.data() + 2 * column, columns.im + strip * kBlock * kBlock,
                               columns.re + strip * kBlock * kBlock, kBlock});
    }
    down_.run(table, {columns.im, columns.re, kBlock}, {columns.im, columns.re, kBlock}, kBlock, T{1},
              columns.scratch);
  }

  // [strip][column][written][read][part][row] of some written channels of a group.
  AlignedArray<T> spectra_of(const Context& context, const Correlation& c, int64_t group, int64_t first,
                             int64_t count) const {
    const int64_t channels = count * c.read, size = strip_size(channels);
    AlignedArray<T> spectra(strips() * size);
    forward_columns(context, channels, spectra.data(),
                    [&](int64_t channel, int64_t column, const Columns& columns) {
                      const int64_t plane = (group * c.written + first) * c.read + channel;
                      return place(c, this->weights() + c.plane_of_w(plane), column, columns);
                    });
    parallel_for(strips(), transform_ns(channels) / 2, [&](int64_t strip) {
      if (context.is_cancelled()) return;
      ArenaFrame arena;
      T* const scratch = arena.take<T>(across_.scratch_size(kBlock));
      forward_rows(*context.kernels, channels, spectra.data() + strip * size, scratch);
    });
    return spectra;
  }

  // The taps of a kernel in columns of zeros.
  bool place(const Correlation& c, const T* w, int64_t column, const Columns& to) const {
    const CorrelationAxis &height = c.axis[1], &width = c.axis[2];
    const auto taps_from = [&](int64_t first) {
      return Span{std::min(width.kernel, ceil_div(first, width.dilation)),
                  std::min(width.kernel, ceil_div(first + kBlock, width.dilation))};
    };
    const Span halves[2] = {taps_from(column), taps_from(column + half_)};
    if (halves[0].begin == halves[0].end && halves[1].begin == halves[1].end) return false;
    std::fill_n(to.re, rows_ * kBlock, T{0});
    std::fill_n(to.im, rows_ * kBlock, T{0});
    const int64_t last = c.taps() - 1;
    for (int64_t t1 = 0; t1 < height.kernel; ++t1) {
      const int64_t row = t1 * height.dilation;
      for (int part = 0; part < 2; ++part) {
        T* const line = (part == 0 ? to.re : to.im) + row * kBlock - column - part * half_;
        for (int64_t t2 = halves[part].begin; t2 < halves[part].end; ++t2) {
          const int64_t tap = t1 * width.kernel + t2;
          const T value = w[c.flip ? last - tap : tap];
          line[t2 * width.dilation] = is_apart(value) ? T{0} : value;
        }
      }
    }
    return true;
  }

  // Columns of a tile of the padded input.
  bool gather(const Correlation& c, const T* x, const Tile& tile, int64_t column, const Columns& to) const {
    const CorrelationAxis &height = c.axis[1], &width = c.axis[2];
    const int64_t first_row = tile.rows.begin - height.pad_before,
                  left = tile.columns.begin - width.pad_before + column, right = left + half_;
    const auto is_empty = [&](int64_t first) {
      for (int64_t j = 0; j < kBlock; ++j) {
        if (source_of(c, width, first + j) >= 0) return false;
      }
      return true;
    };
    if (is_empty(left) && is_empty(right)) return false;
    const auto copy = [&](const T* line, int64_t first, T* row) {
      if (width.spread == 1 && first >= 0 && first + kBlock <= width.in) {
        std::copy_n(line + first, kBlock, row);
      } else {
        gather_row(c, line, first, kBlock, row);
      }
    };
    for (int64_t i = 0; i < rows_; ++i) {
      T *const re = to.re + i * kBlock, *const im = to.im + i * kBlock;
      const int64_t row = source_of(c, height, first_row + i);
      if (row < 0) {
        std::fill_n(re, kBlock, T{0});
        std::fill_n(im, kBlock, T{0});
        continue;
      }
      copy(x + row * width.in, left, re);
      copy(x + row * width.in, right, im);
    }
    return true;
  }

  // The outputs of a tile from dense column `first` of it on. False when one is not finite.
  bool scatter(const Kernels<T>& kernels, const Correlation& c, const Tile& tile, int64_t first,
               const T* columns, T bias, T lo, T hi, T* y) const {
    const CorrelationAxis &height = c.axis[1], &width = c.axis[2];
    const T scale = static_cast<T>(1.0 / static_cast<double>(rows_ * half_));
    const Span at = outs_in(width, {first, std::min(first + kBlock, tile.columns.end)}),
               rows = outs_in(height, tile.rows);
    if (at.begin >= at.end) return true;
    bool is_finite = true;
    T picked[kBlock];
    for (int64_t i = rows.begin; i < rows.end; ++i) {
      const T* const line = columns + (i * height.stride - tile.rows.begin) * kBlock - first;
      const T* sums = line + at.begin;
      if (width.stride > 1) {
        for (int64_t j = at.begin; j < at.end; ++j) picked[j - at.begin] = line[j * width.stride];
        sums = picked;
      }
      T* const to = y + i * width.out + at.begin;
      is_finite &= kernels.fft_finish({sums, to, at.end - at.begin, scale, bias, lo, hi});
    }
    return is_finite;
  }
  static Span outs_in(const CorrelationAxis& axis, Span dense) {
    return {ceil_div(dense.begin, axis.stride),
            std::min(axis.out, ceil_div(std::max(dense.begin, dense.end), axis.stride))};
  }

  bool sum(const Context& context, const Correlation& c, const T* x, const T* bias, T lo, T hi,
           T* y) const override {
    // The only written channel's sums take the place of the only input's spectrum.
    const bool alone = c.read == 1 && written_at_once_ == 1;
    AlignedArray<T> inputs(strips() * strip_size(c.read)),
        sums(alone ? 0 : strips() * strip_size(written_at_once_));
    const Cut height = cut_of(c, c.axis[1], rows_), width = cut_of(c, c.axis[2], 2 * half_);
    std::atomic<bool> is_finite{true};
    for (int64_t group = 0; group < c.groups; ++group) {
      for (int64_t first = 0; first < c.written; first += written_at_once_) {
        const int64_t written = std::min(written_at_once_, c.written - first);
        AlignedArray<T> made;
        if (kept_.empty()) made = spectra_of(context, c, group, first, written);
        const T* const w = kept_.empty() ? made.data() : kept_[static_cast<size_t>(group)].data();
        const T* const shifts = bias != nullptr ? bias + group * c.written + first : nullptr;
        for (int64_t i = 0; i < c.images * height.tiles * width.tiles; ++i) {
          const int64_t image = i / width.tiles / height.tiles,
                        top = i / width.tiles % height.tiles * height.step,
                        left = i % width.tiles * width.step;
          const Tile tile = {{top, std::min(top + height.step, c.axis[1].dense_out())},
                             {left, std::min(left + width.step, c.axis[2].dense_out())}};
          const T* const from = x + image * c.x.image + group * c.x.group;
          T* const to = y + image * c.y.image + group * c.y.group + first * c.y.channel;
          forward_columns(context, c.read, inputs.data(),
                          [&](int64_t channel, int64_t column, const Columns& columns) {
                            return gather(c, from + channel * c.x.channel, tile, column, columns);
                          });
          multiply(context, c, written, w, inputs.data(), alone ? inputs.data() : sums.data());
          if (!deliver(context, c, tile, written, alone ? inputs.data() : sums.data(), shifts, lo, hi, to))
            is_finite.store(false, std::memory_order_relaxed);
        }
      }
    }
    return is_finite.load(std::memory_order_relaxed);
  }

  // Strips of rows: there, times the weights' spectra, and back.
  void multiply(const Context& context, const Correlation& c, int64_t written, const T* w, T* inputs,
                T* sums) const {
    const double products = static_cast<double>(c.read * written) / 8;
    parallel_for(strips(), transform_ns(c.read + written) / 2 * (1 + products), [&](int64_t strip) {
      if (context.is_cancelled()) return;
      ArenaFrame arena;
      T* const scratch = arena.take<T>(across_.scratch_size(kBlock));
      T *const from = inputs + strip * strip_size(c.read), *const to = sums + strip * strip_size(written);
      forward_rows(*context.kernels, c.read, from, scratch);
      const T* const by = w + strip * strip_size(written * c.read);
      for (int64_t o = 0; o < written; ++o) {
        context.kernels->of<T>().fft_product(
            1, {half_, c.read, 1, from, c.read * kPoint, by + o * c.read * kPoint, written * c.read * kPoint,
                to + o * kPoint, written * kPoint});
      }
      inverse_rows(*context.kernels, written, to, scratch);
    });
  }

  bool deliver(const Context& context, const Correlation& c, const Tile& tile, int64_t written, const T* sums,
               const T* bias, T lo, T hi, T* y) const {
    std::atomic<bool> is_finite{true};
    const int64_t wanted = tile.columns.end - tile.columns.begin;
    parallel_for(written * column_strips(), transform_ns(written) / 2, [&](int64_t i) {
      const int64_t channel = i % written, column = i / written * kBlock;
      if (context.is_cancelled() || column >= wanted) return;  // and so is the right half's
      ArenaFrame arena;
      const Columns columns = take(arena);
      inverse_columns(*context.kernels, written, sums, channel, column, columns);
      const T shift = bias != nullptr ? bias[channel] : T{0};
      T* const plane = y + channel * c.y.channel;
      const int64_t left = tile.columns.begin + column;
      const Kernels<T>& kernels = context.kernels->of<T>();
      const bool first = scatter(kernels, c, tile, left, columns.re, shift, lo, hi, plane),
                 second = scatter(kernels, c, tile, left + half_, columns.im, shift, lo, hi, plane);
      if (!first || !second) is_finite.store(false, std::memory_order_relaxed);
    });
    return is_finite.load(std::memory_order_relaxed);
  }

  const int64_t rows_, half_;  // of a tile: rows, and half its columns
  const ColumnFft<T> down_, across_;
  std::vector<T> turn_re_, turn_im_, turn_;  // powers of i^(1 / half), and so again as [column][part]
  std::vector<T> ones_, zeros_, pairs_of_one_;
  int64_t written_at_once_;
  std::vector<AlignedArray<T>> kept_;  // weights' spectra, by group, or none
};

}  // namespace

template <typename T>
std::unique_ptr<const FftCorrelation<T>> make_large_tiles(const Context& context, const Correlation& c,
                                                          int32_t variant, const T* w, const T* bias,
                                                          double lo, double hi, int64_t kept_bytes) {
  return std::make_unique<LargeTiles<T>>(context, c, variant, w, bias, lo, hi, kept_bytes);
}

template std::unique_ptr<const FftCorrelation<float>> make_large_tiles(const Context&, const Correlation&,
                                                                       int32_t, const float*, const float*,
                                                                       double, double, int64_t);
template std::unique_ptr<const FftCorrelation<double>> make_large_tiles(const Context&, const Correlation&,
                                                                        int32_t, const double*, const double*,
                                                                        double, double, int64_t);

}  // namespace convmat
