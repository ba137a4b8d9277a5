// The plan as it crosses from TypeScript: one Int32Array, whose field order is in CONVMAT_*_PLAN_FIELDS below
// and in lib/plan/plans/wire.ts on the other side. The lists are compared when the addon loads.
#pragma once

#include <cstdint>

namespace convmat {

enum class DType : int32_t { f32, f64, i8, u8, i16, u16, i32, u32 };
enum class ConvOp : int32_t { forward, input_grad, weight_grad };
enum class Algorithm : int32_t { im2col, direct, depthwise, winograd, fft, toeplitz };
// The variant of Algorithm::depthwise for kernels of rank one, by two passes.
constexpr int32_t kSeparable = 1;

enum class PaddingMode : int32_t { zeros, circular, reflect, replicate };

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
};

// A convolution of 8-bit integers, whose dtype is the input's, i8 or u8. Forward; its algorithm is not read.
struct IntegerConvPlan {
  ConvPlan conv;
  DType weight_dtype;  // i8 or u8
  DType output_dtype;  // i32, or i8 or u8 of a scaled result
  int32_t input_zero_point, output_zero_point;
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

#define CONVMAT_CONV_PLAN_FIELDS                                                                        \
  "op", "dtype", "algorithm", "variant", "paddingMode", "batch", "groups", "inChannels", "outChannels", \
      CONVMAT_AXES_FIELDS
// An integer convolution's plan is a convolution's, and these.
#define CONVMAT_INTEGER_PLAN_FIELDS \
  CONVMAT_CONV_PLAN_FIELDS, "weightDType", "outputDType", "inputZeroPoint", "outputZeroPoint"
#define CONVMAT_POOL_PLAN_FIELDS "dtype", "planes", "countIncludePad", CONVMAT_AXES_FIELDS

// In the order of lib/plan/options/numeric-type.ts.
enum class Rounding : int32_t { nearest, floor, ceiling, zero, convergent, round };

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
