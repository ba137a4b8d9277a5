// Copies of strided blocks, of elements of 1, 2, 4 or 8 bytes: transposes, slices, tiles, parts of a larger
// whole. And filling.
#include <algorithm>
#include <cstring>
#include <limits>

#include "network/step.h"
#include "plan/arith.h"
#include "plan/dispatch.h"
#include "runtime/thread_pool.h"

namespace convmat {
namespace {

constexpr int kMostAxes = 8;
constexpr double kNsPerByte = 0.1;
constexpr int64_t kChunkBytes = 64 << 10;
// Of a square whose lines, read and written, stay in L1.
constexpr int64_t kSquare = 16;

// Where elements of one side lie: a first one and strides, which may be negative.
struct Side {
  Operand operand;
  int64_t first;
  int64_t strides[kMostAxes];
};

class CopyStep final : public Step {
 public:
  explicit CopyStep(StepSource& source) {
    Words& words = source.words;
    dtype_ = words.next_of(DType::u32);
    axes_ = static_cast<int>(words.next_integer(1, kMostAxes));
    for (int a = 0; a < axes_; ++a) shape_[a] = words.next_integer(0);
    from_ = read_side(source, false);
    to_ = read_side(source, true);
  }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    const int64_t bytes = bytes_of(dtype_);
    const auto* const from = store.resolve<std::byte>(from_.operand, memory) + from_.first * bytes;
    auto* const to = store.resolve_output<std::byte>(to_.operand, memory) + to_.first * bytes;
    dispatch_bits(dtype_, [&](auto bits) { run_of<decltype(bits)>(context, from, to); });
  }

 private:
  // The operand's length, the first element in it, and its strides: no element lies outside.
  Side read_side(StepSource& source, bool is_written) const {
    Words& words = source.words;
    Side side;
    const int64_t length = words.next_integer(0);
    side.operand = source.store.read(words, dtype_, length, is_written);
    side.first = words.next_integer(0);
    int64_t least = side.first, most = side.first;
    bool is_empty = false;
    for (int a = 0; a < axes_; ++a) is_empty = is_empty || shape_[a] == 0;
    for (int a = 0; a < axes_; ++a) {
      side.strides[a] = words.next_integer(-(int64_t{1} << 48));
      if (is_empty || shape_[a] < 2) continue;
      const int64_t size =
          checked_product({shape_[a] - 1, side.strides[a] < 0 ? -side.strides[a] : side.strides[a]});
      if (side.strides[a] < 0) least -= size;
      if (side.strides[a] > 0) most = checked_sum(most, size);
      if (is_written && side.strides[a] == 0)
        throw Refusal("network: expected a copy to write each element once");
    }
    if (!is_empty && (least < 0 || most >= length))
      throw Refusal("network: expected a copy inside its operands");
    return side;
  }

  static int64_t checked_sum(int64_t a, int64_t b) {
    if (a > std::numeric_limits<int64_t>::max() - b) throw Refusal("network: expected countable sizes");
    return a + b;
  }

  // Rows of the last axis, or squares of the last two where one side has neighbours along each.
  template <typename T>
  void run_of(const Context& context, const std::byte* from_bytes, std::byte* to_bytes) const {
    const T* const from = reinterpret_cast<const T*>(from_bytes);
    T* const to = reinterpret_cast<T*>(to_bytes);
    const int last = axes_ - 1;
    const bool is_transpose = axes_ >= 2 && to_.strides[last] == 1 && from_.strides[last] != 1 &&
                              from_.strides[last - 1] == 1 && shape_[last] > 1 && shape_[last - 1] > 1;
    const int outer_axes = is_transpose ? axes_ - 2 : axes_ - 1;
    int64_t outer = 1, inner = 1;
    for (int a = 0; a < axes_; ++a) (a < outer_axes ? outer : inner) *= shape_[a];
    if (outer * inner == 0) return;
    // A transpose of one large square is shared out by bands of its rows.
    const int64_t rows = is_transpose ? shape_[last - 1] : 1;
    const int64_t band = std::clamp<int64_t>(kChunkBytes / static_cast<int64_t>(sizeof(T)) /
                                                 std::max<int64_t>(1, shape_[last]) / kSquare * kSquare,
                                             std::min(kSquare, rows), rows);
    const int64_t bands = ceil_div(rows, band);
    const int64_t units = outer * bands;
    const int64_t unit_bytes = std::max<int64_t>(1, inner / bands) * static_cast<int64_t>(sizeof(T));
    const int64_t each = std::clamp<int64_t>(kChunkBytes / unit_bytes, 1, units);
    const int64_t chunks = ceil_div(units, each);
    const double cost_ns =
        kNsPerByte * static_cast<double>(outer) * static_cast<double>(inner) * static_cast<double>(sizeof(T));
    parallel_for(chunks, cost_ns, [&](int64_t chunk) {
      if (context.is_cancelled()) return;
      for (int64_t unit = chunk * each; unit < std::min(units, (chunk + 1) * each); ++unit) {
        int64_t rest = unit / bands, source = 0, target = 0;
        for (int a = outer_axes - 1; a >= 0; --a) {
          source += rest % shape_[a] * from_.strides[a];
          target += rest % shape_[a] * to_.strides[a];
          rest /= shape_[a];
        }
        if (is_transpose) {
          const int64_t first = unit % bands * band;
          transpose(from + source, to + target, first, std::min(rows, first + band));
        } else {
          copy_row(from + source, to + target);
        }
      }
    });
  }

  template <typename T>
  void copy_row(const T* from, T* to) const {
    const int64_t n = shape_[axes_ - 1], step = from_.strides[axes_ - 1], to_step = to_.strides[axes_ - 1];
    if (step == 1 && to_step == 1) {
      std::memcpy(to, from, sizeof(T) * static_cast<size_t>(n));
    } else if (to_step == 1 && step == 0) {
      std::fill_n(to, n, *from);
    } else {
      for (int64_t i = 0; i < n; ++i) to[i * to_step] = from[i * step];
    }
  }

  // Rows [first, end) of what lies by columns.
  template <typename T>
  void transpose(const T* from, T* to, int64_t first, int64_t end) const {
    const int64_t columns = shape_[axes_ - 1];
    const int64_t from_column = from_.strides[axes_ - 1], to_row = to_.strides[axes_ - 2];
    for (int64_t r = first; r < end; r += kSquare) {
      const int64_t row_end = std::min(end, r + kSquare);
      for (int64_t c = 0; c < columns; c += kSquare) {
        const int64_t column_end = std::min(columns, c + kSquare);
        for (int64_t i = r; i < row_end; ++i) {
          for (int64_t j = c; j < column_end; ++j) to[i * to_row + j] = from[j * from_column + i];
        }
      }
    }
  }

  DType dtype_;
  int axes_;
  int64_t shape_[kMostAxes];
  Side from_, to_;
};

class FillStep final : public Step {
 public:
  explicit FillStep(StepSource& source)
      : length_(source.words.next_integer(0)), value_(static_cast<float>(source.words.next())) {
    output_ = source.store.output(source.words, length_);
  }
  void run(const Context&, const Store& store, const Memory& memory) const override {
    std::fill_n(store.resolve_output<float>(output_, memory), length_, value_);
  }

 private:
  const int64_t length_;
  const float value_;
  Operand output_;
};

}  // namespace

std::unique_ptr<Step> read_copy_step(StepSource& source) { return std::make_unique<CopyStep>(source); }
std::unique_ptr<Step> read_fill_step(StepSource& source) { return std::make_unique<FillStep>(source); }

}  // namespace convmat
