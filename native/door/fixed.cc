#include "door/fixed.h"

#include "door/plans.h"
#include "ops/fixed.h"

namespace convmat::door {
namespace {

struct Integers {
  DType dtype;
  const void* data;
};

Integers read_integers(const Value& value, int64_t length, const char* name) {
  const DType dtype = dtype_of(read_array(value, name), name);
  if (dtype == DType::f32 || dtype == DType::f64)
    throw Refusal(std::string(name) + ": expected integers, got " + dtype_name(dtype));
  return {dtype, read_elements(value, dtype, length, name)};
}

}  // namespace

void fixed_conv2(const Call& call) {
  const WireFixedPlan plan = read_fixed_plan(call[0]);
  const Integers image = read_integers(call[1], plan.image_length, "image");
  const Integers kernel = read_integers(call[2], plan.kernel_length, "kernel");
  void* const out = read_result(call[3], word_dtype(plan.conv), plan.output_length, "out");
  convmat::fixed_conv2(Context{&kernels_of(call)}, plan.conv, image.dtype, image.data, kernel.dtype,
                       kernel.data, out);
}

void store_fixed(const Call& call) {
  const Array out = read_array(call[9], "out");
  const DType dtype = dtype_of(out, "out");
  if (dtype == DType::f32 || dtype == DType::f64 || dtype == DType::u32)
    throw Refusal(std::string("out: expected integers within int32, got ") + dtype_name(dtype));
  const auto length = static_cast<int64_t>(out.length);
  FixedSums sums{};
  for (int32_t p = 0; p < 4; ++p) {
    const void* const part = p == 0 ? read_elements(call[0], DType::i32, length, "part")
                                    : read_optional_elements(call[p], DType::i32, length, "part");
    if (part != nullptr && sums.part_count != p) throw Refusal("part: expected those before it, too");
    sums.parts[p] = static_cast<const int32_t*>(part);
    if (part != nullptr) ++sums.part_count;
  }
  if (sums.part_count == 3) throw Refusal("parts: expected one, two or four");
  sums.places = read_size(call[4], "places");
  const Array addends = read_array(call[5], "addends");
  if (dtype_of(addends, "addends") != DType::f64 || addends.length == 0)
    throw Refusal("addends: expected one of float64 for each channel");
  if (sums.places == 0 || length % sums.places != 0)
    throw Refusal("places: expected a divisor of " + quantity(length));
  sums.planes = length / sums.places;
  sums.channels = static_cast<int64_t>(addends.length);
  sums.addends = static_cast<const double*>(addends.data);
  sums.factor = read_double(call[6], "factor");
  sums.low = read_double(call[7], "low");
  sums.high = read_double(call[8], "high");
  convmat::store_fixed(Context{&kernels_of(call)}, sums, dtype, out.data);
}

void split_words(const Call& call) {
  const Array words = read_array(call[0], "words");
  const DType dtype = dtype_of(words, "words");
  if (dtype != DType::i16 && dtype != DType::u16)
    throw Refusal(std::string("words: expected int16 or uint16, got ") + dtype_name(dtype));
  const auto length = static_cast<int64_t>(words.length);
  void* const low = read_result(call[1], DType::u8, length, "low");
  void* const high = read_result(call[2], dtype == DType::i16 ? DType::i8 : DType::u8, length, "high");
  convmat::split_words(Context{&kernels_of(call)}, length, words.data, low, high);
}

}  // namespace convmat::door
