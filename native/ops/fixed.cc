#include "ops/fixed.h"

#include <algorithm>
#include <utility>

#include "plan/arith.h"
#include "plan/dispatch.h"
#include "runtime/arena.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

// Calls `body` with a pointer of the array's own type.
template <typename Body>
void with_integers(DType dtype, void* data, Body&& body) {
  dispatch_integer(dtype, [&](auto zero) { body(static_cast<decltype(zero)*>(data)); });
}
template <typename Body>
void with_integers(DType dtype, const void* data, Body&& body) {
  with_integers(dtype, const_cast<void*>(data), [&](auto* integers) { body(std::as_const(integers)); });
}

template <typename From, typename To>
void convert(const From* from, int64_t count, To* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<To>(from[i]);
}

template <typename T>
auto row_kernel(const KernelTable& kernels) {
  if constexpr (sizeof(T) == 2) {
    return kernels.integer.fixed_row_i16;
  } else if constexpr (sizeof(T) == 4) {
    return kernels.integer.fixed_row_i32;
  } else {
    return kernels.integer.fixed_row_i64;
  }
}

// What the six roundings add before the floor, as FixedRow has it.
template <typename T>
void set_rounding(FixedRow<T>& row, Rounding rounding, int32_t shift) {
  row.shift = std::max(shift, 0);
  row.base = row.negative = row.odd = 0;
  if (shift <= 0) return;
  const T half = static_cast<T>(T{1} << (shift - 1)), almost_one = static_cast<T>(2 * (half - 1) + 1);
  switch (rounding) {
    case Rounding::floor:
      break;
    case Rounding::nearest:
      row.base = half;
      break;
    case Rounding::ceiling:
      row.base = almost_one;
      break;
    case Rounding::zero:
      row.negative = almost_one;
      break;
    case Rounding::round:
      row.base = half;
      row.negative = -1;
      break;
    case Rounding::convergent:
      row.base = static_cast<T>(half - 1);
      row.odd = 1;
      break;
  }
}

template <typename T>
void convolve(const Context& context, const FixedConvPlan& p, DType image_dtype, const void* image,
              DType kernel_dtype, const void* kernel, void* out) {
  const int64_t taps = p.kernel_rows * p.kernel_columns;
  const int64_t padded_rows = p.out_rows + p.kernel_rows - 1;
  const int64_t pitch = (p.out_columns + p.kernel_columns - 1) * p.planes;
  const int64_t count = p.out_columns * p.planes;
  // Whole vectors: a remainder would be done one by one. What is read beyond a row is the next one's.
  constexpr int64_t kWidest = 64 / static_cast<int64_t>(sizeof(T));
  const int64_t padded_size = padded_rows * pitch + kWidest;
  ArenaFrame frame;
  T* const padded = frame.take<T>(padded_size);
  T* const weights = frame.take<T>(taps);

  FixedRow<T> row{};
  set_rounding(row, p.rounding, p.shift);
  row.low = static_cast<T>(p.is_signed ? -(int64_t{1} << (p.word_length - 1)) : 0);
  row.span = static_cast<T>((int64_t{1} << p.word_length) - 1);
  row.high = static_cast<T>(row.low + row.span);
  row.image_pitch = pitch;
  row.tap_step = p.planes;
  row.kernel = weights;
  row.kernel_rows = p.kernel_rows;
  row.kernel_columns = p.kernel_columns;
  row.count = round_up(count, kWidest);
  row.every_step = p.every_step;
  row.wrap = p.wrap;

  // A negative shift multiplies, which the weights can do once for all.
  const T factor = static_cast<T>(T{1} << std::max(-p.shift, 0));
  with_integers(kernel_dtype, kernel, [&](const auto* from) {
    for (int64_t t = 0; t < taps; ++t)
      weights[t] = static_cast<T>(static_cast<T>(from[taps - 1 - t]) * factor);
  });
  std::fill_n(padded, padded_size, T{0});
  // A window may end inside the image.
  const int64_t image_rows = std::min(p.rows, padded_rows - p.pad_top);
  const int64_t image_columns = std::min(p.columns, pitch / p.planes - p.pad_left);
  with_integers(image_dtype, image, [&](const auto* from) {
    for (int64_t r = 0; r < image_rows; ++r) {
      convert(from + r * p.columns * p.planes, image_columns * p.planes,
              padded + (r + p.pad_top) * pitch + p.pad_left * p.planes);
    }
  });

  const double steps =
      static_cast<double>(p.out_rows) * static_cast<double>(row.count) * static_cast<double>(taps);
  parallel_for(p.out_rows, steps * 0.1 * sizeof(T), [&](int64_t i) {
    ArenaFrame own;
    FixedRow<T> here = row;
    here.image = padded + i * pitch;
    here.out = own.take<T>(row.count);
    row_kernel<T> (*context.kernels)(here);
    with_integers(word_dtype(p), out, [&](auto* rows) { convert(here.out, count, rows + i * count); });
  });
}

}  // namespace

void store_fixed(const Context& context, const FixedSums& sums, DType out_dtype, void* out) {
  // What stays in L1 between the sums and the words.
  constexpr int64_t kBlock = 1024;
  const int64_t blocks = ceil_div(sums.places, kBlock);
  const double cost = static_cast<double>(sums.planes * sums.places) * (0.3 + 0.1 * sums.part_count);
  parallel_for(sums.planes * blocks, cost, [&](int64_t index) {
    if (context.is_cancelled()) return;
    const int64_t plane = index / blocks, first = index % blocks * kBlock;
    const int64_t at = plane * sums.places + first, count = std::min(kBlock, sums.places - first);
    int32_t integers[kBlock];
    FixedStore store{};
    for (int32_t p = 0; p < sums.part_count; ++p) store.parts[p] = sums.parts[p] + at;
    store.part_count = sums.part_count;
    store.count = count;
    store.factor = sums.factor;
    store.addend = sums.addends[plane % sums.channels];
    store.low = sums.low;
    store.high = sums.high;
    store.to = integers;
    context.kernels->integer.fixed_store(store);
    with_integers(out_dtype, out, [&](auto* words) { convert(integers, count, words + at); });
  });
}

void split_words(const Context& context, int64_t count, const void* words, void* low, void* high) {
  constexpr int64_t kBlock = 1 << 14;
  const auto* const from = static_cast<const uint16_t*>(words);
  auto* const low_bytes = static_cast<uint8_t*>(low);
  auto* const high_bytes = static_cast<uint8_t*>(high);
  parallel_for(ceil_div(count, kBlock), 0.1 * static_cast<double>(count), [&](int64_t block) {
    if (context.is_cancelled()) return;
    const int64_t end = std::min(count, (block + 1) * kBlock);
    for (int64_t i = block * kBlock; i < end; ++i) {
      low_bytes[i] = static_cast<uint8_t>(from[i]);
      high_bytes[i] = static_cast<uint8_t>(from[i] >> 8);
    }
  });
}

DType word_dtype(const FixedConvPlan& plan) {
  if (plan.word_length <= 8) return plan.is_signed ? DType::i8 : DType::u8;
  if (plan.word_length <= 16) return plan.is_signed ? DType::i16 : DType::u16;
  return plan.is_signed ? DType::i32 : DType::u32;
}

void fixed_conv2(const Context& context, const FixedConvPlan& plan, DType image_dtype, const void* image,
                 DType kernel_dtype, const void* kernel, void* out) {
  const auto run = plan.bits == 16   ? convolve<int16_t>
                   : plan.bits == 32 ? convolve<int32_t>
                                     : convolve<int64_t>;
  run(context, plan, image_dtype, image, kernel_dtype, kernel, out);
}

}  // namespace convmat
