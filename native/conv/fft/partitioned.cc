#include "conv/fft/partitioned.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "conv/fft/tile_fft.h"
#include "geometry/lowering.h"
#include "plan/arith.h"
#include "runtime/aligned.h"
#include "runtime/arena.h"
#include "runtime/held.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

// One core's time for a point in one of a transform's passes, and for a complex product: for sharing out.
constexpr double kNsPerPointAndPass = 0.25, kNsPerProduct = 0.2;
// Spectra of inputs that are kept at a time, where there are several images.
constexpr int64_t kSpectraBytes = 32 << 20;

// More than any memory holds.
constexpr double kMostElements = 0x1p46;

// How an axis is cut. Tile i of the inputs begins at position i * tile_step; outputs o and part p of the
// kernel meet in tile o * out_shift + p * part_shift.
struct Cut {
  int64_t points;          // of a tile
  int64_t parts, part;     // of the kernel, and the reach of one
  int64_t outs, out_step;  // tiles of outputs, and the dense outputs of one
  int64_t part_shift, out_shift;
  int64_t tile_step;

  int64_t tiles(int64_t out_tiles) const {
    return (out_tiles - 1) * out_shift + (parts - 1) * part_shift + 1;
  }
};

// Of `points` points, a kernel's part of r leaves points - r + 1 outputs right.
Cut cut_of(const CorrelationAxis& axis, int64_t points, bool fits_outputs) {
  // Without a transform every tap is a part and every position a tile.
  if (points == 1) return {1, axis.kernel, 1, axis.out, 1, axis.dilation, axis.stride, 1};
  const int64_t reach = axis.reach(), outs = axis.dense_out(), half = points / 2;
  if (reach <= half + 1) {
    const int64_t step = points - reach + 1;
    return {points, 1, reach, ceil_div(outs, step), step, 1, 1, step};
  }
  if (fits_outputs && outs <= half) {
    const int64_t part = points - outs + 1;
    return {points, ceil_div(reach, part), part, 1, outs, 1, 1, part};
  }
  return {points, ceil_div(reach, half), half, ceil_div(outs, half), half, 1, 1, half};
}

// The tiles of outputs by two, as the parts of complex ones: along one axis, `half` tiles (or images) apart.
struct Pairing {
  static constexpr int kImages = 3, kNone = -1;
  int axis = kNone;
  int64_t half = 0;
};

template <typename T>
class Partitioned final : public FftCorrelation<T> {
 public:
  Partitioned(const Context& context, const Correlation& c, int32_t variant, const T* w, const T* bias,
              double lo, double hi)
      : FftCorrelation<T>(context, c, w, bias, lo, hi),
        fft_(tile_of(variant)),
        parts_(cuts_of(c).parts() * c.read),
        w_step_(spaced(c.groups * c.written * parts_)),
        spectra_(spectra_size(c)) {
    const int64_t planes = c.groups * c.written * c.read;
    const Cuts cuts = cuts_of(c);
    const int64_t count = planes * cuts.parts();
    parallel_for(count, transform_ns() * static_cast<double>(count), [&](int64_t i) {
      if (context.is_cancelled()) return;
      const int64_t plane = i / cuts.parts(), part = i % cuts.parts();
      ArenaFrame arena;
      const typename TileFft<T>::Work work = fft_.take(arena);
      place(c, cuts, w + c.plane_of_w(plane), part, work);
      fft_.forward(*context.kernels, work, spectra_.data() + i * kPoint, w_step_);
    });
  }

  size_t bytes() const override { return sizeof(*this) + FftCorrelation<T>::bytes() + spectra_.bytes(); }

 private:
  static constexpr int64_t kPoint = 2 * kFftBlock<T>;  // elements of a tile's block: both parts

  struct Cuts {
    Cut axis[3];
    int64_t parts() const { return axis[0].parts * axis[1].parts * axis[2].parts; }
  };

  static TileFft<T> tile_of(int32_t variant) {
    using Kind = typename TileFft<T>::Kind;
    const int64_t rows = variant >> 16, columns = variant & 0xffff;
    if (rows == 1) {
      int64_t height = kFftBlock<T>;
      while (4 * height * height <= columns) height *= 2;
      return {Kind::line, height, columns / height};
    }
    if (columns == 1) return {Kind::bundle, rows, kFftBlock<T>};
    return {Kind::plane, rows, columns};
  }

  bool is_line() const { return fft_.kind() == TileFft<T>::Kind::line; }
  Cuts cuts_of(const Correlation& c) const {
    return {{cut_of(c.axis[0], 1, c.fits_outputs),
             cut_of(c.axis[1], is_line() ? 1 : fft_.rows(), c.fits_outputs),
             cut_of(c.axis[2], is_line() ? fft_.points() : fft_.columns(), c.fits_outputs)}};
  }

  // In floating point first, where it does not overflow.
  int64_t spectra_size(const Correlation& c) const {
    double size =
        2.0 * static_cast<double>(fft_.points() * c.groups * c.written) * static_cast<double>(c.read);
    for (const Cut& cut : cuts_of(c).axis) size *= static_cast<double>(cut.parts);
    if (size > kMostElements) throw std::bad_alloc();
    return fft_.blocks() * w_step_;
  }

  // Elements from one block of so many tiles to the next: not a multiple of what the sets of a cache span.
  static int64_t spaced(int64_t tiles) {
    const int64_t step = tiles * kPoint, bytes = step * static_cast<int64_t>(sizeof(T));
    return bytes % 2048 == 0 ? step + kPoint : step;
  }
  double transform_ns() const {
    const double points = static_cast<double>(fft_.points());
    return points * std::log2(points) * kNsPerPointAndPass;
  }

  // Part `index` of a kernel in a tile of zeros; in every column of a bundle.
  void place(const Correlation& c, const Cuts& cuts, const T* w, int64_t index,
             const typename TileFft<T>::Work& work) const {
    const int64_t size = fft_.rows() * fft_.pitch();
    std::fill_n(work.re, size, T{0});
    std::fill_n(work.im, size, T{0});
    const int64_t p[3] = {index / cuts.axis[2].parts / cuts.axis[1].parts,
                          index / cuts.axis[2].parts % cuts.axis[1].parts, index % cuts.axis[2].parts};
    const int64_t copies = fft_.kind() == TileFft<T>::Kind::bundle ? fft_.columns() : 1;
    const int64_t last = c.taps() - 1;
    const Span depth = taps_in(c.axis[0], cuts.axis[0], p[0]),
               height = taps_in(c.axis[1], cuts.axis[1], p[1]),
               width = taps_in(c.axis[2], cuts.axis[2], p[2]);
    for (int64_t t0 = depth.begin; t0 < depth.end; ++t0) {
      for (int64_t t1 = height.begin; t1 < height.end; ++t1) {
        const int64_t row = offset_in(c.axis[1], cuts.axis[1], p[1], t1);
        for (int64_t t2 = width.begin; t2 < width.end; ++t2) {
          const int64_t column = offset_in(c.axis[2], cuts.axis[2], p[2], t2);
          const int64_t tap = (t0 * c.axis[1].kernel + t1) * c.axis[2].kernel + t2;
          const T value = w[c.flip ? last - tap : tap];
          T* const to =
              work.re + (is_line() ? column / fft_.columns() * fft_.pitch() + column % fft_.columns()
                                   : row * fft_.pitch() + column);
          std::fill_n(to, copies, is_apart(value) ? T{0} : value);
        }
      }
    }
  }
  // The taps of a part.
  static Span taps_in(const CorrelationAxis& axis, const Cut& cut, int64_t part) {
    if (cut.points == 1) return {part, part + 1};
    return {std::min(axis.kernel, ceil_div(part * cut.part, axis.dilation)),
            std::min(axis.kernel, ceil_div((part + 1) * cut.part, axis.dilation))};
  }
  static int64_t offset_in(const CorrelationAxis& axis, const Cut& cut, int64_t part, int64_t tap) {
    return cut.points == 1 ? 0 : tap * axis.dilation - part * cut.part;
  }

  // Along the axis where the fewest places stay empty.
  static Pairing pairing_of(const Correlation& c, const Cuts& cuts) {
    Pairing best;
    double least = 1;
    const auto consider = [&](int axis, int64_t count) {
      if (count < 2) return;
      const int64_t half = ceil_div(count, 2);
      const double share = static_cast<double>(half) / static_cast<double>(count);
      if (share < least) {
        best = {axis, half};
        least = share;
      }
    };
    for (const int axis : {2, 1, 0}) consider(axis, cuts.axis[axis].outs);
    consider(Pairing::kImages, c.images);
    return best;
  }

  // The computation of some images of a group: everything that its tasks share.
  struct Round {
    const Correlation& c;
    Cuts cuts;
    Pairing pairing;
    int64_t image, images, group;  // of which the first is
    int64_t tiles[3], outs[3];     // of inputs and of outputs, by two
    int64_t step;                  // from one block of the spectra to the next
    T* spectra;                    // of the inputs, and then of the outputs in their place

    int64_t inputs() const { return tiles[0] * tiles[1] * tiles[2]; }
    int64_t outputs() const { return outs[0] * outs[1] * outs[2]; }
  };

  // False when a sum is not finite.
  bool sum(const Context& context, const Correlation& c, const T* x, const T* bias, T lo, T hi,
           T* y) const override {
    const Cuts cuts = cuts_of(c);
    const Pairing pairing = pairing_of(c, cuts);
    Round round = {c, cuts, pairing, 0, 0, 0, {}, {}, 0, nullptr};
    for (int k = 0; k < 3; ++k) {
      round.outs[k] = pairing.axis == k ? pairing.half : cuts.axis[k].outs;
      round.tiles[k] = cuts.axis[k].tiles(round.outs[k]);
    }
    const int64_t images = pairing.axis == Pairing::kImages ? pairing.half : c.images;
    const int64_t in_tiles = c.read * round.inputs(), out_tiles = c.written * round.outputs();
    const int64_t image_bytes =
        fft_.blocks() * std::max(in_tiles, out_tiles) * kPoint * static_cast<int64_t>(sizeof(T));
    const int64_t at_once = std::clamp<int64_t>(kSpectraBytes / image_bytes, 1, images);
    round.step = spaced(at_once * std::max(in_tiles, out_tiles));
    AlignedArray<T> spectra(fft_.blocks() * round.step);
    round.spectra = spectra.data();
    const std::vector<int64_t> terms = terms_of(round);
    std::atomic<bool> is_finite{true};
    for (round.group = 0; round.group < c.groups; ++round.group) {
      for (round.image = 0; round.image < images; round.image += at_once) {
        round.images = std::min(at_once, images - round.image);
        transform_inputs(context, round, x);
        multiply(context, round, terms);
        transform_outputs(context, round, bias, lo, hi, y, is_finite);
      }
    }
    return is_finite.load(std::memory_order_relaxed);
  }

  // What each term of a sum reads, from the first tile of inputs of its tile of outputs on: [channel][part].
  static std::vector<int64_t> terms_of(const Round& r) {
    std::vector<int64_t> terms;
    for (int64_t channel = 0; channel < r.c.read; ++channel) {
      for (int64_t p0 = 0; p0 < r.cuts.axis[0].parts; ++p0) {
        for (int64_t p1 = 0; p1 < r.cuts.axis[1].parts; ++p1) {
          for (int64_t p2 = 0; p2 < r.cuts.axis[2].parts; ++p2) {
            const int64_t t0 = channel * r.tiles[0] + p0 * r.cuts.axis[0].part_shift,
                          t1 = t0 * r.tiles[1] + p1 * r.cuts.axis[1].part_shift;
            terms.push_back((t1 * r.tiles[2] + p2 * r.cuts.axis[2].part_shift) * kPoint);
          }
        }
      }
    }
    return terms;
  }

  void transform_inputs(const Context& context, const Round& r, const T* x) const {
    const int64_t count = r.images * r.c.read * r.inputs();
    parallel_for(count, transform_ns() * static_cast<double>(count), [&](int64_t i) {
      if (context.is_cancelled()) return;
      const int64_t tile[3] = {i / r.tiles[2] / r.tiles[1] % r.tiles[0], i / r.tiles[2] % r.tiles[1],
                               i % r.tiles[2]};
      const int64_t channel = i / r.inputs() % r.c.read, image = r.image + i / r.inputs() / r.c.read;
      const T* const from = x + image * r.c.x.image + r.group * r.c.x.group + channel * r.c.x.channel;
      ArenaFrame arena;
      const typename TileFft<T>::Work work = fft_.take(arena);
      gather(r.c, r.cuts, from, tile, work.re);
      if (r.pairing.axis == Pairing::kNone) {
        std::fill_n(work.im, fft_.rows() * fft_.pitch(), T{0});
      } else if (r.pairing.axis == Pairing::kImages) {
        if (image + r.pairing.half < r.c.images) {
          gather(r.c, r.cuts, from + r.pairing.half * r.c.x.image, tile, work.im);
        } else {
          std::fill_n(work.im, fft_.rows() * fft_.pitch(), T{0});
        }
      } else {
        int64_t second[3] = {tile[0], tile[1], tile[2]};
        second[r.pairing.axis] += r.pairing.half * r.cuts.axis[r.pairing.axis].out_shift;
        gather(r.c, r.cuts, from, second, work.im);
      }
      fft_.forward(*context.kernels, work, r.spectra + i * kPoint, r.step);
    });
  }

  void multiply(const Context& context, const Round& r, const std::vector<int64_t>& terms) const {
    const Kernels<T>& kernels = context.kernels->of<T>();
    const auto count = static_cast<int64_t>(terms.size());
    const double products = static_cast<double>(r.images * r.c.written * r.outputs() * count);
    parallel_for(
        fft_.blocks(), products * static_cast<double>(fft_.points()) * kNsPerProduct, [&](int64_t block) {
          if (context.is_cancelled()) return;
          T* const x = r.spectra + block * r.step;
          const T* const w = spectra_.data() + block * w_step_ + r.group * r.c.written * count * kPoint;
          ArenaFrame arena;
          const int64_t size = r.images * r.c.written * r.outputs() * kPoint;
          T* const sums = arena.take<T>(size);
          T* sum = sums;
          for (int64_t image = 0; image < r.images; ++image) {
            for (int64_t o = 0; o < r.c.written; ++o) {
              for (int64_t o0 = 0; o0 < r.outs[0]; ++o0) {
                for (int64_t o1 = 0; o1 < r.outs[1]; ++o1) {
                  const int64_t t0 = image * r.c.read * r.tiles[0] + o0 * r.cuts.axis[0].out_shift,
                                t1 = t0 * r.tiles[1] + o1 * r.cuts.axis[1].out_shift;
                  kernels.fft_sum({count, terms.data(), x + t1 * r.tiles[2] * kPoint, w + o * count * kPoint,
                                   r.outs[2], sum});
                  sum += r.outs[2] * kPoint;
                }
              }
            }
          }
          std::copy_n(sums, size, x);
        });
  }

  void transform_outputs(const Context& context, const Round& r, const T* bias, T lo, T hi, T* y,
                         std::atomic<bool>& is_finite) const {
    const int64_t count = r.images * r.c.written * r.outputs();
    parallel_for(count, transform_ns() * static_cast<double>(count), [&](int64_t i) {
      if (context.is_cancelled()) return;
      int64_t tile[3] = {i / r.outs[2] / r.outs[1] % r.outs[0], i / r.outs[2] % r.outs[1], i % r.outs[2]};
      const int64_t o = i / r.outputs() % r.c.written, image = r.image + i / r.outputs() / r.c.written;
      const int64_t channel = r.group * r.c.written + o;
      T* const to = y + image * r.c.y.image + r.group * r.c.y.group + o * r.c.y.channel;
      const T shift = bias != nullptr ? bias[channel] : T{0};
      ArenaFrame arena;
      const typename TileFft<T>::Work work = fft_.take(arena);
      fft_.inverse(*context.kernels, r.spectra + i * kPoint, r.step, work);
      const auto deliver = [&](const T* from, T* plane) {
        if (!scatter(*context.kernels, r.c, r.cuts, from, tile, shift, lo, hi, plane))
          is_finite.store(false, std::memory_order_relaxed);
      };
      deliver(work.re, to);
      if (r.pairing.axis == Pairing::kImages) {
        if (image + r.pairing.half < r.c.images) deliver(work.im, to + r.pairing.half * r.c.y.image);
      } else if (r.pairing.axis != Pairing::kNone) {
        tile[r.pairing.axis] += r.pairing.half;
        if (tile[r.pairing.axis] < r.cuts.axis[r.pairing.axis].outs) deliver(work.im, to);
      }
    });
  }

  // to[row][column] <-- a tile of the padded input.
  void gather(const Correlation& c, const Cuts& cuts, const T* from, const int64_t (&tile)[3], T* to) const {
    const CorrelationAxis& width = c.axis[2];
    int64_t first[3];
    for (int k = 0; k < 3; ++k) first[k] = tile[k] * cuts.axis[k].tile_step - c.axis[k].pad_before;
    const int64_t depth = source_of(c, c.axis[0], first[0]), n = fft_.columns();
    for (int64_t i = 0; i < fft_.rows(); ++i, to += fft_.pitch()) {
      const int64_t row = source_of(c, c.axis[1], first[1] + (is_line() ? 0 : i));
      if (depth < 0 || row < 0) {
        std::fill_n(to, n, T{0});
        continue;
      }
      const T* const line = from + (depth * c.axis[1].in + row) * width.in;
      const int64_t start = first[2] + (is_line() ? i * n : 0);
      gather_row(c, line, start, n, to);
    }
  }

  // False when a sum is not finite.
  bool scatter(const KernelTable& table, const Correlation& c, const Cuts& cuts, const T* from,
               const int64_t (&tile)[3], T bias, T lo, T hi, T* to) const {
    const Kernels<T>& kernels = table.of<T>();
    const CorrelationAxis &height = c.axis[1], &width = c.axis[2];
    const T scale = static_cast<T>(1.0 / static_cast<double>(fft_.length()));
    const Span rows = outs_in(height, cuts.axis[1], tile[1]), columns = outs_in(width, cuts.axis[2], tile[2]);
    const int64_t first_row = cuts.axis[1].points == 1 ? 0 : tile[1] * cuts.axis[1].out_step,
                  first_column = tile[2] * cuts.axis[2].out_step, n = fft_.columns();
    ArenaFrame arena;
    T* const picked = is_line() || width.stride > 1 ? arena.take<T>(columns.end - columns.begin) : nullptr;
    bool is_finite = true;
    for (int64_t i = rows.begin; i < rows.end; ++i) {
      const T* const line = from + (is_line() ? 0 : (i * height.stride - first_row) * fft_.pitch());
      const T* sums = line + columns.begin * width.stride - first_column;
      if (picked != nullptr) {
        for (int64_t j = columns.begin; j < columns.end; ++j) {
          const int64_t at = j * width.stride - first_column;
          picked[j - columns.begin] = is_line() ? line[at / n * fft_.pitch() + at % n] : line[at];
        }
        sums = picked;
      }
      T* const out = to + (tile[0] * height.out + i) * width.out + columns.begin;
      is_finite &= kernels.fft_finish({sums, out, columns.end - columns.begin, scale, bias, lo, hi});
    }
    return is_finite;
  }
  // The outputs of a tile.
  static Span outs_in(const CorrelationAxis& axis, const Cut& cut, int64_t tile) {
    if (cut.points == 1) return {tile, tile + 1};
    return {std::min(axis.out, ceil_div(tile * cut.out_step, axis.stride)),
            std::min(axis.out, ceil_div((tile + 1) * cut.out_step, axis.stride))};
  }

  const TileFft<T> fft_;
  const int64_t parts_;      // of a written channel's kernels
  const int64_t w_step_;     // from one block of the spectra to the next
  AlignedArray<T> spectra_;  // [block][group][written][read][part][part of a point]
};

}  // namespace

template <typename T>
std::unique_ptr<const FftCorrelation<T>> make_partitioned(const Context& context, const Correlation& c,
                                                          int32_t variant, const T* w, const T* bias,
                                                          double lo, double hi) {
  return std::make_unique<Partitioned<T>>(context, c, variant, w, bias, lo, hi);
}

template std::unique_ptr<const FftCorrelation<float>> make_partitioned(const Context&, const Correlation&,
                                                                       int32_t, const float*, const float*,
                                                                       double, double);
template std::unique_ptr<const FftCorrelation<double>> make_partitioned(const Context&, const Correlation&,
                                                                        int32_t, const double*, const double*,
                                                                        double, double);

}  // namespace convmat
