// The plan as it crosses from TypeScript: one Int32Array, whose field order is in CONVMAT_*_PLAN_FIELDS below
// and in lib/plan/plans/wire.ts on the other side. Enumerations cross by the place of a value in its list.
// All lists are compared when the addon loads.
#pragma once

#include <cstdint>

namespace convmat {

// Every enumeration that crosses: V(value, its name in JavaScript), in order.
// clang-format off
#define CONVMAT_DTYPES(V) \
  V(f32, "float32")       \
  V(f64, "float64")       \
  V(i8, "int8")           \
  V(u8, "uint8")          \
  V(i16, "int16")         \
  V(u16, "uint16")        \
  V(i32, "int32")         \
  V(u32, "uint32")
#define CONVMAT_CONV_OPS(V)    \
  V(forward, "forward")        \
  V(input_grad, "inputGrad")   \
  V(weight_grad, "weightGrad")
#define CONVMAT_ALGORITHMS(V) \
  V(im2col, "im2col")         \
  V(direct, "direct")         \
  V(depthwise, "depthwise")   \
  V(winograd, "winograd")     \
  V(fft, "fft")               \
  V(toeplitz, "toeplitz")
#define CONVMAT_PADDING_MODES(V) \
  V(zeros, "zeros")              \
  V(circular, "circular")        \
  V(reflect, "reflect")          \
  V(replicate, "replicate")
#define CONVMAT_PRECISIONS(V) \
  V(float32, "float32")       \
  V(bf16, "bf16")
#define CONVMAT_ROUNDINGS(V)  \
  V(nearest, "nearest")       \
  V(floor, "floor")           \
  V(ceiling, "ceiling")       \
  V(zero, "zero")             \
  V(convergent, "convergent") \
  V(round, "round")
// clang-format on

#define CONVMAT_VALUE(value, name) value,
enum class DType : int32_t { CONVMAT_DTYPES(CONVMAT_VALUE) };
enum class ConvOp : int32_t { CONVMAT_CONV_OPS(CONVMAT_VALUE) };
enum class Algorithm : int32_t { CONVMAT_ALGORITHMS(CONVMAT_VALUE) };
enum class PaddingMode : int32_t { CONVMAT_PADDING_MODES(CONVMAT_VALUE) };
// What float32 operands are rounded to before they are multiplied.
enum class Precision : int32_t { CONVMAT_PRECISIONS(CONVMAT_VALUE) };
enum class Rounding : int32_t { CONVMAT_ROUNDINGS(CONVMAT_VALUE) };
#undef CONVMAT_VALUE

// How many values an enumeration has.
#define CONVMAT_ONE(value, name) +1
template <class Enum>
inline constexpr int32_t kValues = 0;
template <>
inline constexpr int32_t kValues<DType> = CONVMAT_DTYPES(CONVMAT_ONE);
template <>
inline constexpr int32_t kValues<ConvOp> = CONVMAT_CONV_OPS(CONVMAT_ONE);
template <>
inline constexpr int32_t kValues<Algorithm> = CONVMAT_ALGORITHMS(CONVMAT_ONE);
template <>
inline constexpr int32_t kValues<PaddingMode> = CONVMAT_PADDING_MODES(CONVMAT_ONE);
template <>
inline constexpr int32_t kValues<Precision> = CONVMAT_PRECISIONS(CONVMAT_ONE);
template <>
inline constexpr int32_t kValues<Rounding> = CONVMAT_ROUNDINGS(CONVMAT_ONE);
#undef CONVMAT_ONE

// The variant of Algorithm::depthwise for kernels of rank one, by two passes.
constexpr int32_t kSeparable = 1;

// One spatial axis of the forward convolution; counts and distances are in elements.
//   input position = output * stride + tap * dilation - pad_before
struct Axis {
  int64_t in, kernel, stride, dilation, pad_before, pad_after, out;
};

// Geometry of a convolution, always described as the forward one, y[n,o,...] = sum x[n,c,...] w[o,c,...]:
// the input gradient (and so the transposed convolution) reads y and writes x, the weight gradient writes w.
// Ranks 1 and 2 are padded with leading axes of size 1, so that there is one code path: axis = {depth,
// height, width}.
struct ConvPlan {
  ConvOp op;
  DType dtype;
  Algorithm algorithm;
  int32_t variant;  // a choice within the algorithm: Winograd's output tile, for example
  PaddingMode padding_mode;
  int64_t batch, groups, in_channels, out_channels;
  Axis axis[3];
  // Channels that lie side by side in memory, [image][block][depth][row][column][channel of the block], the
  // last block filled up: a vector's lanes, or 1, which is [image][channel][depth][row][column]. They do not
  // cross from TypeScript: steps of networks set them.
  int64_t input_block = 1, output_block = 1;
  Precision precision = Precision::float32;
};

// A convolution of 8-bit integers, whose dtype is the input's, i8 or u8. Forward; its algorithm is not read.
struct IntegerConvPlan {
  ConvPlan conv;
  DType weight_dtype;  // i8 or u8
  DType output_dtype;  // i32, or i8 or u8 of a scaled result
  int32_t input_zero_point, output_zero_point;
  bool scaled_in_float = false;  // sums are rounded to float before they are scaled, and the products too
};

// A pooling window over `planes` channel planes.
struct PoolPlan {
  DType dtype;
  int64_t planes;
  bool count_include_pad;
  Axis axis[3];
};

#define CONVMAT_AXIS_FIELDS(axis)                                                                    \
  axis ".in", axis ".kernel", axis ".stride", axis ".dilation", axis ".padBefore", axis ".padAfter", \
      axis ".out"
#define CONVMAT_AXES_FIELDS \
  CONVMAT_AXIS_FIELDS("depth"), CONVMAT_AXIS_FIELDS("height"), CONVMAT_AXIS_FIELDS("width")

#define CONVMAT_CONV_PLAN_FIELDS                                                                      \
  "op", "dtype", "algorithm", "variant", "paddingMode", "precision", "batch", "groups", "inChannels", \
      "outChannels", CONVMAT_AXES_FIELDS
// An integer convolution's plan is a convolution's, and these.
#define CONVMAT_INTEGER_PLAN_FIELDS \
  CONVMAT_CONV_PLAN_FIELDS, "weightDType", "outputDType", "inputZeroPoint", "outputZeroPoint"
#define CONVMAT_POOL_PLAN_FIELDS "dtype", "planes", "countIncludePad", CONVMAT_AXES_FIELDS

// image [rows][columns][planes], kernel [kernel_rows][kernel_columns] (flipped here), out
// [out_rows][out_columns] [planes]. A sum or product p becomes p / 2^shift, rounded and brought into the
// word.
struct FixedConvPlan {
  int64_t rows, columns, planes;
  int64_t kernel_rows, kernel_columns;
  int64_t pad_top, pad_left;
  int64_t out_rows, out_columns;
  int32_t bits;  // 16, 32 or 64: an integer of so many holds every product, sum and rounding term
  int32_t shift;
  Rounding rounding;
  bool every_step, wrap;
  bool is_signed;
  int32_t word_length;
};

#define CONVMAT_FIXED_PLAN_FIELDS                                                                           \
  "rows", "columns", "planes", "kernelRows", "kernelColumns", "padTop", "padLeft", "outRows", "outColumns", \
      "bits", "shift", "rounding", "everyStep", "wrap", "signed", "wordLength"

}  // namespace convmat
