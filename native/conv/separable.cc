// Forward convolution of one input channel per group by kernels of rank one, stride and dilation 1 over two
// axes: along the rows, then along the columns, through a strip that stays in the second-level cache.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "conv/algorithm.h"
#include "geometry/lowering.h"
#include "plan/arith.h"
#include "plan/dispatch.h"
#include "runtime/aligned.h"
#include "runtime/arena.h"
#include "runtime/thread_pool.h"
#include "runtime/tuning.h"
#include "table/table.h"

namespace convmat {
namespace {

// Of a strip between the passes.
constexpr int64_t kStripBytes = kL2Bytes / 2;
// Columns of a strip, about: as many vectors as make loops long, few enough that strips are high.
constexpr int64_t kStripColumns = 256;
// Of the multiply-add units' peak, about: loads share the time.
constexpr double kEfficiency = 0.4;

template <typename T>
class SeparableConv final : public ConvRunner {
 public:
  SeparableConv(const ConvPlan& plan, const T* weight, const T* bias, T lo, T hi)
      : columns_(plan.out_channels * plan.axis[1].kernel),
        rows_(plan.out_channels * plan.axis[2].kernel),
        bias_(plan.out_channels),
        lo_(lo),
        hi_(hi) {
    const int64_t height = plan.axis[1].kernel, width = plan.axis[2].kernel;
    for (int64_t o = 0; o < plan.out_channels; ++o) {
      factor(weight + o * height * width, height, width, columns_.data() + o * height,
             rows_.data() + o * width);
      bias_.data()[o] = bias != nullptr ? bias[o] : T{0};
    }
  }

  size_t bytes() const override { return sizeof(*this) + columns_.bytes() + rows_.bytes() + bias_.bytes(); }

  void run(const Context& context, const ConvPlan& plan, const void* input, void* output) const override {
    const Axis &height = plan.axis[1], &width = plan.axis[2];
    const Kernels<T>& kernels = context.kernels->of<T>();
    const int64_t multiplier = plan.out_channels / plan.groups;
    const int64_t across = ceil_div(width.out, kStripColumns);
    if (across == 0 || height.out == 0) return;
    const int64_t columns = ceil_div(width.out, across);
    const int64_t fit = kStripBytes / (pitch_of(kernels, columns) * static_cast<int64_t>(sizeof(T)));
    // At least as many rows as two strips share.
    const int64_t rows =
        std::min(height.out, std::max(fit - (height.kernel - 1), std::max<int64_t>(height.kernel - 1, 1)));
    const int64_t down = ceil_div(height.out, rows);
    const int64_t planes = plan.batch * plan.out_channels;
    const double cost =
        static_cast<double>(planes * height.out * width.out * (height.kernel + width.kernel + 4)) /
        (kernels.gemm_blocking.fma_per_ns * kEfficiency);
    parallel_for(planes * down * across, cost, [&](int64_t index) {
      if (context.is_cancelled()) return;
      const int64_t plane = index / (down * across), row = index / across % down * rows,
                    column = index % across * columns;
      const Strip strip = {row, std::min(rows, height.out - row), column,
                           std::min(columns, width.out - column)};
      run_strip(kernels, plan, plane % plan.out_channels, strip,
                static_cast<const T*>(input) + plane / multiplier * height.in * width.in,
                static_cast<T*>(output) + plane * height.out * width.out);
    });
  }

 private:
  // Outputs [row, row + rows) x [column, column + columns).
  struct Strip {
    int64_t row, rows, column, columns;
  };

  // kernel[i][j] ~ down[i] * along[j], with the larger factor of a pair at most 1: the rows' common
  // direction, from the largest row on, by one step of alternating least squares in double, which averages
  // out how the elements were rounded.
  static void factor(const T* kernel, int64_t height, int64_t width, T* down, T* along) {
    const T* const largest = std::max_element(kernel, kernel + height * width,
                                              [](T a, T b) { return std::fabs(a) < std::fabs(b); });
    const int64_t pivot = (largest - kernel) / width;
    std::vector<double> u(static_cast<size_t>(height), 0.0), v(static_cast<size_t>(width), 0.0);
    const double scale = *largest == T{0} ? 1.0 : static_cast<double>(*largest);
    double square = 0;
    for (int64_t j = 0; j < width; ++j) {
      v[j] = static_cast<double>(kernel[pivot * width + j]) / scale;
      square += v[j] * v[j];
    }
    double largest_u = 0;
    for (int64_t i = 0; i < height; ++i) {
      for (int64_t j = 0; j < width; ++j) u[i] += static_cast<double>(kernel[i * width + j]) * v[j];
      if (square > 0) u[i] /= square;
      largest_u = std::fmax(largest_u, std::fabs(u[i]));
    }
    if (largest_u == 0) largest_u = 1;
    double squares = 0;
    for (double& value : u) {
      value /= largest_u;
      squares += value * value;
    }
    for (int64_t j = 0; j < width; ++j) {
      double sum = 0;
      for (int64_t i = 0; i < height; ++i) sum += u[i] * static_cast<double>(kernel[i * width + j]);
      along[j] = static_cast<T>(squares > 0 ? sum / squares : 0.0);
    }
    for (int64_t i = 0; i < height; ++i) down[i] = static_cast<T>(u[i]);
  }

  // Of a strip's rows: kernels read and write whole groups of vectors.
  static int64_t pitch_of(const Kernels<T>& kernels, int64_t columns) {
    const int64_t group = kernels.toeplitz_blocking.lanes * std::max(kernels.toeplitz_blocking.nv, 4);
    return round_up(columns, group) + kernels.toeplitz_blocking.lanes;
  }

  void run_strip(const Kernels<T>& kernels, const ConvPlan& plan, int64_t channel, const Strip& strip,
                 const T* x, T* y) const {
    const Axis &height = plan.axis[1], &width = plan.axis[2];
    const ToeplitzBlocking& blocking = kernels.toeplitz_blocking;
    constexpr T kNone = std::numeric_limits<T>::infinity();
    const int64_t pitch = pitch_of(kernels, strip.columns);
    const int64_t line_pitch = pitch + width.kernel - 1, between = strip.rows + height.kernel - 1;

    ArenaFrame arena;
    T* const rows = arena.take<T>(between * pitch);
    T* const lines = arena.take<T>(tuning::kSeparableLines * line_pitch);
    int64_t* const offsets = arena.take<int64_t>(width.kernel);
    int32_t* const taps = arena.take<int32_t>(width.kernel);
    for (int64_t j = 0; j < width.kernel; ++j) {
      offsets[j] = j;
      taps[j] = static_cast<int32_t>(j);
    }

    // rows[i] <-- the padded image's row, along its columns.
    ToeplitzTile<T> tile{};
    tile.offsets = offsets;
    tile.taps = taps;
    tile.steps = width.kernel;
    tile.weights = rows_.data() + channel * width.kernel;
    tile.x = lines;
    tile.x_row = line_pitch;
    tile.y_row = pitch;
    tile.n = strip.columns;
    tile.lo = -kNone;
    tile.hi = kNone;
    for (int64_t i = 0; i < between; i += tuning::kSeparableLines) {
      const int64_t count = std::min<int64_t>(tuning::kSeparableLines, between - i);
      for (int64_t r = 0; r < count; ++r) {
        const int64_t row =
            padded_position(plan.padding_mode, strip.row + i + r - height.pad_before, height.in);
        read_line(plan, row < 0 ? nullptr : x + row * width.in, strip, line_pitch, lines + r * line_pitch);
      }
      tile.y = rows + i * pitch;
      kernels.toeplitz_rows(static_cast<int>(count), blocking.sums / tuning::kSeparableLines, tile);
    }

    tile.x_row = pitch;
    tile.steps = 1;
    tile.height = height.kernel;
    tile.weights = columns_.data() + channel * height.kernel;
    tile.y_row = width.out;
    tile.bias = bias_.data() + channel;
    tile.lo = lo_;
    tile.hi = hi_;
    const int64_t most = std::min<int64_t>(blocking.mr, height.kernel);
    for (int64_t i = 0, count; i < strip.rows; i += count) {
      count = toeplitz_count(std::min(most, strip.rows - i));
      tile.x = rows + i * pitch;
      tile.y = y + (strip.row + i) * width.out + strip.column;
      kernels.toeplitz_plane(static_cast<int>(count), blocking.nv, tile);
    }
  }

  // line <-- what the strip's outputs read of a row, which is null beyond the image.
  static void read_line(const ConvPlan& plan, const T* row, const Strip& strip, int64_t size, T* line) {
    const Axis& width = plan.axis[2];
    const int64_t first = strip.column - width.pad_before, count = strip.columns + width.kernel - 1;
    std::fill(line + count, line + size, T{0});
    if (row == nullptr) {
      std::fill_n(line, count, T{0});
      return;
    }
    const int64_t begin = std::clamp<int64_t>(-first, 0, count),
                  end = std::clamp<int64_t>(width.in - first, begin, count);
    const auto border = [&](int64_t j) {
      const int64_t column = padded_position(plan.padding_mode, first + j, width.in);
      line[j] = column < 0 ? T{0} : row[column];
    };
    for (int64_t j = 0; j < begin; ++j) border(j);
    if (begin < end) std::copy(row + first + begin, row + first + end, line + begin);
    for (int64_t j = end; j < count; ++j) border(j);
  }

  AlignedArray<T> columns_, rows_;  // of every output channel
  AlignedArray<T> bias_;
  const T lo_, hi_;
};

template <typename T>
std::shared_ptr<const ConvRunner> make(const ConvPlan& plan, const void* weight, const void* bias, double lo,
                                       double hi) {
  return std::make_shared<SeparableConv<T>>(plan, static_cast<const T*>(weight), static_cast<const T*>(bias),
                                            static_cast<T>(lo), static_cast<T>(hi));
}

}  // namespace

std::shared_ptr<const ConvRunner> pack_separable_forward(const Context&, const ConvPlan& plan,
                                                         const void* weight, const void* bias, double lo,
                                                         double hi) {
  return dispatch_float(plan.dtype,
                        [&](auto zero) { return make<decltype(zero)>(plan, weight, bias, lo, hi); });
}

}  // namespace convmat
