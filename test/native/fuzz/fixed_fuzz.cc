// Fixed-point convolution against whole numbers of 128 bits, with types and shifts as TypeScript derives
// them.
#include <algorithm>

#include "fuzz.h"
#include "ops/fixed.h"
#include "plan/wire.h"
#include "runtime/context.h"

namespace convmat::test {
namespace {

using Wide = __int128;

Wide floor_shift(Wide p, int shift) { return p >> shift; }

// p / 2^shift as a whole number.
Wide rounded(Wide p, int shift, Rounding rounding) {
  if (shift <= 0) return p * (Wide{1} << -shift);
  const Wide unit = Wide{1} << shift, below = floor_shift(p, shift), twice = 2 * (p - below * unit);
  switch (rounding) {
    case Rounding::floor:
      return below;
    case Rounding::ceiling:
      return twice == 0 ? below : below + 1;
    case Rounding::zero:
      return p / unit;
    case Rounding::nearest:
      return twice >= unit ? below + 1 : below;
    case Rounding::round:
      return twice > unit || (twice == unit && p > 0) ? below + 1 : below;
    case Rounding::convergent:
      return twice > unit || (twice == unit && (below & 1) != 0) ? below + 1 : below;
  }
  return 0;
}

struct Word {
  Wide low, high;
  bool wrap;

  Wide limit(Wide value) const {
    if (!wrap) return std::clamp(value, low, high);
    const Wide span = high - low + 1;
    return ((value - low) % span + span) % span + low;
  }
};

// Integers of so many bits, in an array that holds them.
Operand<int32_t> draw_integers(int64_t size, int bits, int64_t offset, uint32_t seed) {
  Operand<int32_t> integers = any_integers<int32_t>(size, offset, seed);
  for (int64_t i = 0; i < size; ++i) integers[i] >>= 32 - bits;
  return integers;
}

template <typename T>
void check(const WireFixedPlan& wire, const Operand<int32_t>& image, const Operand<int32_t>& kernel,
           const std::vector<Wide>& expected, int64_t offset) {
  for (const KernelTable* kernels : available_kernels()) {
    Operand<T> out(wire.output_length, offset);
    fixed_conv2(Context{kernels}, wire.conv, DType::i32, image.data(), DType::i32, kernel.data(), out.data());
    for (int64_t i = 0; i < out.size(); ++i)
      demand(out[i] == expected[i], std::string(kernels->name) + ": element " + std::to_string(i));
  }
}

void run(FuzzedDataProvider& in) {
  FixedConvPlan plan{};
  plan.rows = draw_size(in, 0, 30);
  plan.columns = draw_size(in, 0, 70);
  plan.planes = draw(in, 1, 4);
  plan.kernel_rows = draw(in, 1, 5);
  plan.kernel_columns = draw(in, 1, 7);
  plan.pad_top = draw(in, 0, plan.kernel_rows - 1);
  plan.pad_left = draw(in, 0, plan.kernel_columns - 1);
  plan.out_rows = draw(in, 0, plan.rows + plan.kernel_rows - 1);
  plan.out_columns = draw(in, 0, plan.columns + plan.kernel_columns - 1);
  plan.word_length = static_cast<int32_t>(draw(in, 1, 32));
  plan.is_signed = in.ConsumeBool();
  plan.wrap = in.ConsumeBool();
  plan.every_step = in.ConsumeBool();
  plan.rounding = static_cast<Rounding>(draw(in, 0, 5));
  plan.shift = static_cast<int32_t>(draw(in, -20, 40));
  const int image_bits = static_cast<int>(draw(in, 1, 24)), kernel_bits = static_cast<int>(draw(in, 1, 16));
  const int64_t offset = draw(in, 0, 3);
  const auto seed = in.ConsumeIntegral<uint16_t>();

  const int64_t image_size = product({plan.rows, plan.columns, plan.planes});
  const int64_t kernel_size = plan.kernel_rows * plan.kernel_columns;
  const Operand<int32_t> image = draw_integers(image_size, image_bits, offset, seed),
                         kernel = draw_integers(kernel_size, kernel_bits, offset, seed + 1);
  // As lib/plan/plans/fixed.ts, in whole numbers: the largest that any step makes.
  Wide kernel_sum = 0;
  for (int64_t t = 0; t < kernel_size; ++t) kernel_sum += std::abs(static_cast<int64_t>(kernel[t]));
  const Wide terms = (Wide{1} << (image_bits - 1)) * std::max<Wide>(kernel_sum, 1);
  int bits_of_terms = 0;
  while (terms >> bits_of_terms != 0) ++bits_of_terms;
  plan.shift = std::min(plan.shift, bits_of_terms + 2);
  const Wide rounding_bound = plan.shift <= 0 ? terms << -plan.shift : terms + (Wide{1} << plan.shift);
  const Wide word = Wide{1} << plan.word_length;
  const Wide bound = std::max(rounding_bound, plan.every_step ? 2 * word : Wide{0}) + word;
  if (bound >= Wide{1} << 62) return;
  const int narrowest = bound < 1 << 15 && plan.shift >= 2 ? 16 : bound < Wide{1} << 31 ? 32 : 64;
  plan.bits = std::max(narrowest, in.PickValueInArray({16, 32, 64}));

  const int32_t fields[] = {static_cast<int32_t>(plan.rows),
                            static_cast<int32_t>(plan.columns),
                            static_cast<int32_t>(plan.planes),
                            static_cast<int32_t>(plan.kernel_rows),
                            static_cast<int32_t>(plan.kernel_columns),
                            static_cast<int32_t>(plan.pad_top),
                            static_cast<int32_t>(plan.pad_left),
                            static_cast<int32_t>(plan.out_rows),
                            static_cast<int32_t>(plan.out_columns),
                            plan.bits,
                            plan.shift,
                            static_cast<int32_t>(plan.rounding),
                            plan.every_step,
                            plan.wrap,
                            plan.is_signed,
                            plan.word_length};
  const WireFixedPlan wire = fixed_conv_plan(fields);

  const Wide low = plan.is_signed ? -(word / 2) : 0;
  const Word type{low, low + word - 1, plan.wrap};
  std::vector<Wide> expected;
  for (int64_t r = 0; r < plan.out_rows; ++r)
    for (int64_t c = 0; c < plan.out_columns; ++c)
      for (int64_t plane = 0; plane < plan.planes; ++plane) {
        Wide sum = 0, running = 0;
        for (int64_t p = 0; p < plan.kernel_rows; ++p)
          for (int64_t q = 0; q < plan.kernel_columns; ++q) {
            const int64_t row = r + p - plan.pad_top, column = c + q - plan.pad_left;
            const bool inside = row >= 0 && row < plan.rows && column >= 0 && column < plan.columns;
            const Wide x = inside ? image[(row * plan.columns + column) * plan.planes + plane] : 0;
            const Wide step = x * kernel[kernel_size - 1 - (p * plan.kernel_columns + q)];
            sum += step;
            running = type.limit(running + type.limit(rounded(step, plan.shift, plan.rounding)));
          }
        expected.push_back(plan.every_step ? running : type.limit(rounded(sum, plan.shift, plan.rounding)));
      }
  switch (word_dtype(wire.conv)) {
    case DType::i8:
      return check<int8_t>(wire, image, kernel, expected, offset);
    case DType::u8:
      return check<uint8_t>(wire, image, kernel, expected, offset);
    case DType::i16:
      return check<int16_t>(wire, image, kernel, expected, offset);
    case DType::u16:
      return check<uint16_t>(wire, image, kernel, expected, offset);
    case DType::i32:
      return check<int32_t>(wire, image, kernel, expected, offset);
    default:
      return check<uint32_t>(wire, image, kernel, expected, offset);
  }
}

}  // namespace
}  // namespace convmat::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider in(data, size);
  convmat::test::run(in);
  return 0;
}
