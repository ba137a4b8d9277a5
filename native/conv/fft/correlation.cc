#include "conv/fft/correlation.h"

#include <algorithm>

#include "geometry/lowering.h"

namespace convmat {
namespace {

Correlation correlation(const ConvPlan& plan) {
  Correlation c;
  c.groups = plan.groups;
  c.padding_mode = plan.padding_mode;
  c.flip = c.fits_outputs = false;
  return c;
}

int64_t planes(const ConvPlan& plan, int64_t Axis::*size) {
  return plan.axis[0].*size * plan.axis[1].*size * plan.axis[2].*size;
}

}  // namespace

Correlation forward_correlation(const ConvPlan& plan) {
  Correlation c = correlation(plan);
  const int64_t in = planes(plan, &Axis::in), out = planes(plan, &Axis::out),
                taps = planes(plan, &Axis::kernel);
  c.images = plan.batch;
  c.read = plan.in_channels / plan.groups;
  c.written = plan.out_channels / plan.groups;
  c.x = {plan.in_channels * in, c.read * in, in};
  c.y = {plan.out_channels * out, c.written * out, out};
  c.w_group = c.written * c.read * taps;
  c.w_written = c.read * taps;
  c.w_read = taps;
  for (int k = 0; k < 3; ++k) {
    const Axis& a = plan.axis[k];
    c.axis[k] = {a.in, 1, a.kernel, a.dilation, a.pad_before, a.pad_after, a.stride, a.out};
  }
  return c;
}

Correlation input_grad_correlation(const ConvPlan& plan) {
  Correlation c = correlation(plan);
  const int64_t in = planes(plan, &Axis::in), out = planes(plan, &Axis::out),
                taps = planes(plan, &Axis::kernel);
  c.images = plan.batch;
  c.read = plan.out_channels / plan.groups;
  c.written = plan.in_channels / plan.groups;
  c.x = {plan.out_channels * out, c.read * out, out};
  c.y = {plan.in_channels * in, c.written * in, in};
  c.w_group = c.written * c.read * taps;
  c.w_written = taps;
  c.w_read = c.written * taps;
  c.flip = true;
  for (int k = 0; k < 3; ++k) {
    const Axis& a = plan.axis[k];
    const int64_t reach = (a.kernel - 1) * a.dilation;
    c.axis[k] = {a.out, a.stride, a.kernel, a.dilation, reach - a.pad_before, 0, 1, a.in};
  }
  return c;
}

Correlation weight_grad_correlation(const ConvPlan& plan) {
  Correlation c = correlation(plan);
  const int64_t in = planes(plan, &Axis::in), out = planes(plan, &Axis::out),
                taps = planes(plan, &Axis::kernel);
  const int64_t group_in = plan.in_channels / plan.groups, group_out = plan.out_channels / plan.groups;
  c.images = group_in;
  c.read = plan.batch;
  c.written = group_out;
  c.fits_outputs = true;
  c.x = {in, group_in * in, plan.in_channels * in};
  c.y = {taps, group_out * group_in * taps, group_in * taps};
  c.w_group = group_out * out;
  c.w_written = out;
  c.w_read = plan.out_channels * out;
  for (int k = 0; k < 3; ++k) {
    const Axis& a = plan.axis[k];
    c.axis[k] = {a.in, 1, a.out, a.stride, a.pad_before, a.pad_after, a.dilation, a.kernel};
  }
  return c;
}

int64_t source_of(const Correlation& c, const CorrelationAxis& axis, int64_t position) {
  if (axis.spread > 1) {
    const bool is_element = position >= 0 && position % axis.spread == 0 && position / axis.spread < axis.in;
    return is_element ? position / axis.spread : -1;
  }
  return position < axis.in + axis.pad_after ? padded_position(c.padding_mode, position, axis.in) : -1;
}

template <typename T>
void gather_row(const Correlation& c, const T* line, int64_t first, int64_t count, T* to) {
  const CorrelationAxis& width = c.axis[2];
  const auto border = [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      const int64_t column = source_of(c, width, first + j);
      to[j] = column < 0 ? T{0} : line[column];
    }
  };
  if (width.spread > 1) return border(0, count);
  const int64_t begin = std::clamp<int64_t>(-first, 0, count),
                end = std::clamp(width.in - first, begin, count);
  border(0, begin);
  if (begin < end) std::copy(line + (first + begin), line + (first + end), to + begin);
  border(end, count);
}

template void gather_row(const Correlation&, const float*, int64_t, int64_t, float*);
template void gather_row(const Correlation&, const double*, int64_t, int64_t, double*);

}  // namespace convmat
