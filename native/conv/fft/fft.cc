// Forward convolution of stride and dilation 1 over one or two axes by Fourier transforms of overlapping
// tiles of the input (overlap-save): those outputs of a tile come out right whose windows lie in it. Two
// tiles of real data are the parts of one complex transform. Channels are summed in the frequency domain; the
// weights' spectra are prepared.
//
// The plan's variant is the size of the tiles, rows << 16 | columns: rows of 1 are lines, for kernels of one
// row; columns of 1 are bundles of lines, for kernels of one column.
//
// Kernels of more than half a tile, three axes, strides and dilations are correlations: by parts or by tiles
// that no cache holds, see fft_correlation.h.
#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "conv/algorithm.h"
#include "conv/fft/fft_correlation.h"
#include "conv/fft/tile_fft.h"
#include "conv/resummation.h"
#include "geometry/lowering.h"
#include "plan/arith.h"
#include "plan/dispatch.h"
#include "plan/serves.h"
#include "runtime/aligned.h"
#include "runtime/arena.h"
#include "runtime/caches.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

// A complex multiplication and addition in one of a transform's log2(n) passes, for the cost of a call.
constexpr double kNsPerPointAndPass = 0.25;

// Spectra of tiles that one pass over the weights' spectra serves, and what they may take: in L2, where it
// is large, with the tile that is being transformed.
constexpr int64_t kMaxPairs = 4;
constexpr int64_t kSpectraBytes = 2 * kL2Bytes;

template <typename T>
TileFft<T> tile_of(const ConvPlan& plan) {
  using Kind = typename TileFft<T>::Kind;
  const int64_t rows = plan.variant >> 16, columns = plan.variant & 0xffff;
  if (rows == 1) {
    // As square as can be, of whole blocks.
    int64_t height = kFftBlock<T>;
    while (4 * height * height <= columns) height *= 2;
    return {Kind::line, height, columns / height};
  }
  if (columns == 1) return {Kind::bundle, rows, kFftBlock<T>};
  return {Kind::plane, rows, columns};
}

// What sums again where the transforms' results are not finite: Toeplitz's rows and planes, the fastest for
// large kernels, pass zero weights by, which a NaN must not be.
template <typename T>
PackConvFn* direct_packer(const ConvPlan& plan, const T* weight) {
  const int64_t count =
      plan.out_channels * (plan.in_channels / plan.groups) * plan.axis[1].kernel * plan.axis[2].kernel;
  return std::find(weight, weight + count, T{0}) == weight + count ? toeplitz_algorithm.pack
                                                                   : pack_direct_forward;
}

template <typename T>
class FftConv final : public ConvRunner {
 public:
  FftConv(const Context& context, const ConvPlan& plan, const T* weight, const T* bias, double lo, double hi)
      : fft_(tile_of<T>(plan)),
        in_channels_(plan.in_channels / plan.groups),
        out_channels_(plan.out_channels / plan.groups),
        pairs_(pairs_at_once()),
        spectra_(plan.out_channels * in_channels_ * 2 * fft_.points()),
        bias_(plan.out_channels),
        lo_(static_cast<T>(lo)),
        hi_(static_cast<T>(hi)),
        resummation_(context, plan, direct_packer(plan, weight), weight, bias, lo, hi) {
    const int64_t taps = plan.axis[1].kernel * plan.axis[2].kernel;
    ArenaFrame arena;
    const typename TileFft<T>::Work work = fft_.take(arena);
    for (int64_t group = 0; group < plan.groups; ++group) {
      for (int64_t o = 0; o < out_channels_; o += kFftOuts) {
        const int64_t outs = std::min<int64_t>(kFftOuts, out_channels_ - o);
        const int64_t first = group * out_channels_ + o, step = in_channels_ * outs * 2 * kFftBlock<T>;
        for (int64_t i = 0; i < outs; ++i) {
          for (int64_t c = 0; c < in_channels_; ++c) {
            place(plan, weight + ((first + i) * in_channels_ + c) * taps, work);
            fft_.forward(*context.kernels, work, spectra(first) + (c * outs + i) * 2 * kFftBlock<T>, step);
          }
        }
      }
    }
    for (int64_t o = 0; o < plan.out_channels; ++o) bias_.data()[o] = bias != nullptr ? bias[o] : T{0};
  }

  size_t bytes() const override {
    return sizeof(*this) + spectra_.bytes() + bias_.bytes() + resummation_.bytes();
  }

  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    const T* const x = static_cast<const T*>(input);
    T* const y = static_cast<T*>(output);
    const Axis &height = plan.axis[1], &width = plan.axis[2];
    Cut cut;
    cut.rows = is_line() ? 1 : fft_.rows() - height.kernel + 1;
    cut.columns = is_line() ? fft_.points() - width.kernel + 1 : fft_.columns() - width.kernel + 1;
    cut.across = ceil_div(width.out, cut.columns);
    cut.tiles = ceil_div(height.out, cut.rows) * cut.across;
    const int64_t pairs = (cut.tiles + 1) / 2, parts = ceil_div(pairs, pairs_);
    const int64_t chunks = plan.batch * plan.groups * parts;
    double passes = 0;
    for (int64_t n = 1; n < fft_.points(); n *= 2) passes += 1;
    const double transforms = static_cast<double>(in_channels_ + out_channels_) * passes;
    const double products = static_cast<double>(in_channels_ * out_channels_) / 4;
    const double points = static_cast<double>(plan.batch * plan.groups * pairs * fft_.points());
    ArenaFrame arena;
    const TileFlags flags(arena, plan, cut.rows, cut.columns);
    parallel_for(chunks, points * (transforms + products) * kNsPerPointAndPass, [&](int64_t index) {
      if (context.is_cancelled()) return;
      const int64_t part = index % parts, group = index / parts % plan.groups,
                    image = index / parts / plan.groups;
      const int64_t first = part * pairs_;
      run_pairs(context, plan, cut, image, group, first, std::min(pairs_, pairs - first), x, y, flags);
    });
    resummation_.run(context, plan, flags, x, y);
  }

 private:
  // How the outputs of an image are cut into tiles.
  struct Cut {
    int64_t rows, columns, across, tiles;
  };
  // The first output of a tile, some of which may lie beyond the image.
  struct Tile {
    int64_t row, column;
  };

  bool is_line() const { return fft_.kind() == TileFft<T>::Kind::line; }

  int64_t pairs_at_once() const {
    if (in_channels_ * out_channels_ < kMaxPairs) return 1;
    const int64_t pair_bytes =
        (in_channels_ + out_channels_) * 2 * fft_.points() * static_cast<int64_t>(sizeof(T));
    return std::clamp<int64_t>(kSpectraBytes / pair_bytes, 1, kMaxPairs);
  }

  // Of the output channels from the even one `channel` of a group on: [block][input channel][channel][part].
  T* spectra(int64_t channel) { return spectra_.data() + channel * in_channels_ * 2 * fft_.points(); }
  const T* spectra(int64_t channel) const {
    return spectra_.data() + channel * in_channels_ * 2 * fft_.points();
  }

  // A kernel in the first rows and columns of a tile of zeros; in every column of a bundle.
  void place(const ConvPlan& plan, const T* weight, const typename TileFft<T>::Work& work) const {
    const int64_t size = fft_.rows() * fft_.pitch();
    std::fill_n(work.re, size, T{0});
    std::fill_n(work.im, size, T{0});
    const int64_t rows = plan.axis[1].kernel, columns = plan.axis[2].kernel;
    const int64_t copies = fft_.kind() == TileFft<T>::Kind::bundle ? fft_.columns() : 1;
    for (int64_t i = 0; i < rows * columns; ++i) {
      const int64_t row = is_line() ? i / fft_.columns() : i / columns,
                    column = is_line() ? i % fft_.columns() : i % columns;
      std::fill_n(work.re + row * fft_.pitch() + column, copies, weight[i]);
    }
  }

  // From one block of some channels' spectra to the next: not a multiple of what the sets of a cache span.
  static int64_t step_of(int64_t channels, int64_t pairs) {
    const int64_t step = channels * pairs * 2 * kFftBlock<T>, bytes = step * static_cast<int64_t>(sizeof(T));
    return bytes % 2048 == 0 ? step + 2 * kFftBlock<T> : step;
  }

  void run_pairs(const Context& context, const ConvPlan& plan, const Cut& cut, int64_t image, int64_t group,
                 int64_t first, int64_t pairs, const T* x, T* y, const TileFlags& flags) const {
    const KernelTable& kernels = *context.kernels;
    const int64_t in_plane = plan.axis[1].in * plan.axis[2].in,
                  out_plane = plan.axis[1].out * plan.axis[2].out;
    const int64_t in_step = step_of(in_channels_, pairs), out_step = step_of(out_channels_, pairs);
    constexpr int64_t tile_step = 2 * kFftBlock<T>;
    ArenaFrame arena;
    const typename TileFft<T>::Work work = fft_.take(arena);
    T* const inputs = arena.take<T>(fft_.blocks() * in_step);
    // The only output channel overwrites the only input's spectrum.
    const bool alone = in_channels_ == 1 && out_channels_ == 1;
    T* const sums = alone ? inputs : arena.take<T>(fft_.blocks() * out_step);

    const auto tile_at = [&](int64_t index) {
      const int64_t t = std::min(index, cut.tiles - 1);  // an odd one is its own neighbour
      return Tile{t / cut.across * cut.rows, t % cut.across * cut.columns};
    };
    for (int64_t c = 0; c < in_channels_; ++c) {
      const T* const from = x + (image * plan.in_channels + group * in_channels_ + c) * in_plane;
      for (int64_t p = 0; p < pairs; ++p) {
        gather(plan, from, tile_at(2 * (first + p)), work.re);
        gather(plan, from, tile_at(2 * (first + p) + 1), work.im);
        fft_.forward(kernels, work, inputs + (c * pairs + p) * tile_step, in_step);
      }
    }
    for (int64_t o = 0; o < out_channels_; o += kFftOuts) {
      const int64_t outs = std::min<int64_t>(kFftOuts, out_channels_ - o);
      kernels.of<T>().fft_product(
          static_cast<int>(outs),
          {fft_.blocks(), in_channels_, pairs, inputs, in_step, spectra(group * out_channels_ + o),
           in_channels_ * outs * tile_step, sums + o * pairs * tile_step, out_step});
    }
    for (int64_t o = 0; o < out_channels_; ++o) {
      const int64_t channel = group * out_channels_ + o;
      T* const to = y + (image * plan.out_channels + channel) * out_plane;
      for (int64_t p = 0; p < pairs; ++p) {
        fft_.inverse(kernels, sums + (o * pairs + p) * tile_step, out_step, work);
        for (int64_t i = 0; i < 2; ++i) {
          const Tile tile = tile_at(2 * (first + p) + i);
          if (!scatter(kernels.of<T>(), plan, cut, i == 0 ? work.re : work.im, tile, bias_.data()[channel],
                       to))
            flags.set(image, tile.row, tile.column);
        }
      }
    }
  }

  // to[row][column] <-- the padded input from the tile's first on.
  void gather(const ConvPlan& plan, const T* from, const Tile& tile, T* to) const {
    const Axis &height = plan.axis[1], &width = plan.axis[2];
    const int64_t n = fft_.columns();
    for (int64_t i = 0; i < fft_.rows(); ++i, to += fft_.pitch()) {
      const int64_t first = tile.column - width.pad_before + (is_line() ? i * n : 0);
      const int64_t row = source(plan, height, tile.row - height.pad_before + (is_line() ? 0 : i));
      if (row < 0) {
        std::fill_n(to, n, T{0});
        continue;
      }
      const T* const line = from + row * width.in;
      const int64_t begin = std::clamp<int64_t>(-first, 0, n), end = std::clamp(width.in - first, begin, n);
      const auto border = [&](int64_t j) {
        const int64_t column = source(plan, width, first + j);
        to[j] = column < 0 ? T{0} : line[column];
      };
      for (int64_t j = 0; j < begin; ++j) border(j);
      if (begin < end) std::copy(line + (first + begin), line + (first + end), to + begin);
      for (int64_t j = end; j < n; ++j) border(j);
    }
  }

  // -1 for zeros, as beyond the padding, which only outputs that are dropped read.
  static int64_t source(const ConvPlan& plan, const Axis& axis, int64_t position) {
    return position < axis.in + axis.pad_after ? padded_position(plan.padding_mode, position, axis.in) : -1;
  }

  // False when a sum is not finite.
  bool scatter(const Kernels<T>& kernels, const ConvPlan& plan, const Cut& cut, const T* from,
               const Tile& tile, T bias, T* to) const {
    const int64_t width = plan.axis[2].out;
    const int64_t columns = std::min(cut.columns, width - tile.column);
    const T scale = static_cast<T>(1.0 / static_cast<double>(fft_.length()));
    bool is_finite = true;
    const auto finish = [&](const T* sums, int64_t count, T* line) {
      is_finite &= kernels.fft_finish({sums, line, count, scale, bias, lo_, hi_});
    };
    T* line = to + tile.row * width + tile.column;
    if (is_line()) {
      for (int64_t j = 0; j < columns; j += fft_.columns(), from += fft_.pitch()) {
        finish(from, std::min(fft_.columns(), columns - j), line + j);
      }
      return is_finite;
    }
    const int64_t rows = std::min(cut.rows, plan.axis[1].out - tile.row);
    for (int64_t i = 0; i < rows; ++i, from += fft_.pitch(), line += width) finish(from, columns, line);
    return is_finite;
  }

  const TileFft<T> fft_;
  const int64_t in_channels_, out_channels_;  // of a group
  const int64_t pairs_;                       // of tiles at once
  AlignedArray<T> spectra_;
  AlignedArray<T> bias_;
  const T lo_, hi_;
  const Resummation<T> resummation_;
};

template <typename T>
std::shared_ptr<const ConvRunner> make(const Context& context, const ConvPlan& plan, const void* weight,
                                       const void* bias, double lo, double hi) {
  return std::make_shared<FftConv<T>>(context, plan, static_cast<const T*>(weight),
                                      static_cast<const T*>(bias), lo, hi);
}

// Whether tiles hold the kernel, and half of each output is right at least.
bool fits_tiles(const ConvPlan& plan) {
  const int64_t rows = plan.variant >> 16, columns = plan.variant & 0xffff;
  const Axis &depth = plan.axis[0], &height = plan.axis[1], &width = plan.axis[2];
  const bool is_plain =
      depth.in == 1 && depth.kernel == 1 && depth.out == 1 && depth.pad_before == 0 && height.stride == 1 &&
      width.stride == 1 && height.dilation == 1 && width.dilation == 1 &&
      std::min({height.pad_before, height.pad_after, width.pad_before, width.pad_after}) >= 0;
  const auto holds = [](int64_t points, const Axis& axis) {
    return points == 1 ? axis.kernel == 1 : axis.kernel <= points / 2 + 1;
  };
  return is_plain && holds(rows, height) && holds(columns, width);
}

template <typename T>
class CorrelationConv final : public ConvRunner {
 public:
  CorrelationConv(const Context& context, const ConvPlan& plan, const T* weight, const T* bias, double lo,
                  double hi)
      : fft_(FftCorrelation<T>::make(context, correlation_of(plan), plan.variant, weight, bias, lo, hi)) {}

  size_t bytes() const override { return sizeof(*this) + fft_->bytes(); }

  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    fft_->run(context, correlation_of(plan), static_cast<const T*>(input), static_cast<T*>(output));
  }

 private:
  static Correlation correlation_of(const ConvPlan& plan) {
    return plan.op == ConvOp::input_grad ? input_grad_correlation(plan) : forward_correlation(plan);
  }

  const std::unique_ptr<const FftCorrelation<T>> fft_;
};

std::shared_ptr<const ConvRunner> pack_correlation(const Context& context, const ConvPlan& plan,
                                                   const void* weight, const void* bias, double lo,
                                                   double hi) {
  return dispatch_float(plan.dtype, [&](auto zero) -> std::shared_ptr<const ConvRunner> {
    using T = decltype(zero);
    return std::make_shared<CorrelationConv<T>>(context, plan, static_cast<const T*>(weight),
                                                static_cast<const T*>(bias), lo, hi);
  });
}

std::shared_ptr<const ConvRunner> pack_forward(const Context& context, const ConvPlan& plan,
                                               const void* weight, const void* bias, double lo, double hi) {
  if (is_large_fft(plan.variant) || !fits_tiles(plan))
    return pack_correlation(context, plan, weight, bias, lo, hi);
  return dispatch_float(plan.dtype,
                        [&](auto zero) { return make<decltype(zero)>(context, plan, weight, bias, lo, hi); });
}

bool is_strided(const ConvPlan& plan) {
  return std::any_of(plan.axis, plan.axis + 3, [](const Axis& axis) { return axis.stride > 1; });
}

std::shared_ptr<const ConvRunner> pack(const Context& context, const ConvPlan& plan, const void* weight,
                                       const void* bias, double lo, double hi) {
  // A stride's sub-lattices are not taken apart.
  return plan.op == ConvOp::input_grad && is_strided(plan)
             ? pack_correlation(context, plan, weight, bias, lo, hi)
             : pack_either<pack_forward>(context, plan, weight, bias, lo, hi);
}

bool serves_fft(const ConvPlan& plan) {
  const bool is_folded = plan.op == ConvOp::input_grad && plan.padding_mode != PaddingMode::zeros;
  return is_fft_plan(plan) && !(is_folded && is_strided(plan));
}

}  // namespace

const ConvAlgorithm fft_algorithm = {serves_fft, "tiles that exist, and of strided gradients zeros padding",
                                     pack};

bool fft_weight_grad(const Context& context, const ConvPlan& plan, const void* input, const void* grad_output,
                     void* grad_weight) {
  if (!is_fft_plan(plan)) return false;
  const Correlation correlation = weight_grad_correlation(plan);
  dispatch_float(plan.dtype, [&](auto zero) {
    using T = decltype(zero);
    constexpr double inf = std::numeric_limits<double>::infinity();
    const Context once = {context.kernels, context.cancelled, Ownership::borrowed};
    FftCorrelation<T>::make(once, correlation, plan.variant, static_cast<const T*>(grad_output), nullptr,
                            -inf, inf)
        ->run(once, correlation, static_cast<const T*>(input), static_cast<T*>(grad_weight));
  });
  return true;
}

}  // namespace convmat
