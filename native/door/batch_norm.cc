#include "door/batch_norm.h"

#include "ops/batch_norm.h"
#include "plan/arith.h"

namespace convmat::door {
namespace {

// Of arguments 0 to 2, for elements of the type of `elements`.
ChannelShape read_shape(const Call& call, const Value& elements, const char* name) {
  return {float_dtype_of(read_array(elements, name), name), read_size(call[0], "batch"),
          read_size(call[1], "channels"), read_size(call[2], "places")};
}

int64_t elements_of(const ChannelShape& shape) {
  return checked_product({shape.batch, shape.channels, shape.places});
}

// One number for each channel.
double* read_numbers(const Value& value, const ChannelShape& shape, const char* name) {
  return static_cast<double*>(read_elements(value, DType::f64, shape.channels, name));
}

}  // namespace

void batch_moments(const Call& call) {
  const ChannelShape shape = read_shape(call, call[3], "x");
  const void* const x = read_elements(call[3], shape.dtype, elements_of(shape), "x");
  double* const mean = read_numbers(call[4], shape, "mean");
  double* const squares = read_numbers(call[5], shape, "squares");
  convmat::batch_moments(Context{&kernels_of(call)}, shape, x, mean, squares);
}

void channel_affine(const Call& call) {
  const ChannelShape shape = read_shape(call, call[3], "x");
  const void* const x = read_elements(call[3], shape.dtype, elements_of(shape), "x");
  const double* const factor = read_numbers(call[4], shape, "factor");
  const double* const offset = read_numbers(call[5], shape, "offset");
  const bool is_rectified = read_boolean(call[6]);
  void* const y = read_result(call[7], shape.dtype, elements_of(shape), "y");
  convmat::channel_affine(Context{&kernels_of(call)}, shape, x, factor, offset, is_rectified, y);
}

void batch_norm_grad(const Call& call) {
  const ChannelShape shape = read_shape(call, call[3], "gradOutput");
  BatchNormGrad f{};
  f.shape = shape;
  f.g = read_elements(call[3], shape.dtype, elements_of(shape), "gradOutput");
  f.x = read_elements(call[4], shape.dtype, elements_of(shape), "x");
  f.mean = read_numbers(call[5], shape, "mean");
  f.scale = read_numbers(call[6], shape, "scale");
  f.factor = read_numbers(call[7], shape, "factor");
  f.offset = read_numbers(call[8], shape, "offset");
  f.is_rectified = read_boolean(call[9]);
  f.is_of_batch = read_boolean(call[10]);
  f.dx = read_result(call[11], shape.dtype, elements_of(shape), "gradInput");
  f.sums = read_numbers(call[12], shape, "sums");
  f.products = read_numbers(call[13], shape, "products");
  convmat::batch_norm_grad(Context{&kernels_of(call)}, f);
}

}  // namespace convmat::door
