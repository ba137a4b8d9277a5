// Pooling of any window and dtype against loops, and the adjoint of max pooling, whose indices may lead
// anywhere.
#include <algorithm>
#include <cmath>
#include <limits>

#include "fuzz.h"
#include "ops/pool.h"
#include "plan/wire.h"

namespace convmat::test {
namespace {

struct Window {
  int64_t elements;  // of the input
  int64_t counted;   // what an average divides by
};

// visit(flat index) for every element of the input that output (z, y, x) reads, in order.
template <typename Visit>
Window for_each_element(const PoolPlan& plan, const int64_t (&output)[3], Visit visit) {
  const Axis(&a)[3] = plan.axis;
  int64_t start[3];
  Window window{0, 1};
  for (int i = 0; i < 3; ++i) {
    start[i] = output[i] * a[i].stride - a[i].pad_before;
    // PyTorch's: a window that ends past the padding counts no more than that.
    window.counted *= std::min(start[i] + a[i].kernel, a[i].in + a[i].pad_after) - start[i];
  }
  for (int64_t z = 0; z < a[0].kernel; ++z)
    for (int64_t y = 0; y < a[1].kernel; ++y)
      for (int64_t x = 0; x < a[2].kernel; ++x) {
        const int64_t tap[3] = {z, y, x};
        int64_t flat = 0;
        bool inside = true;
        for (int i = 0; i < 3; ++i) {
          const int64_t at = start[i] + tap[i] * a[i].dilation;
          inside = inside && at >= 0 && at < a[i].in;
          flat = flat * a[i].in + at;
        }
        if (!inside) continue;
        ++window.elements;
        visit(flat);
      }
  if (!plan.count_include_pad) window.counted = window.elements;
  return window;
}

template <typename T>
void check_pool(const WirePoolPlan& wire, int64_t offset, uint32_t seed) {
  const PoolPlan& plan = wire.pool;
  const Axis(&a)[3] = plan.axis;
  const Operand<T> x = std::is_floating_point_v<T> ? whole_operand<T>(wire.input_length, offset, seed)
                                                   : any_integers<T>(wire.input_length, offset, seed);
  const int64_t inputs = a[0].in * a[1].in * a[2].in;
  for (const KernelTable* kernels : available_kernels()) {
    const Context context{kernels};
    Operand<T> plain(wire.output_length, offset), largest(wire.output_length, offset),
        average(wire.output_length, offset);
    Operand<int32_t> indices(wire.output_length, offset);
    max_pool(context, plan, x.data(), plain.data(), nullptr);
    max_pool(context, plan, x.data(), largest.data(), indices.data());
    if constexpr (std::is_floating_point_v<T>) avg_pool(context, plan, x.data(), average.data());
    int64_t at = 0;
    for (int64_t plane = 0; plane < plan.planes; ++plane)
      for (int64_t z = 0; z < a[0].out; ++z)
        for (int64_t y = 0; y < a[1].out; ++y)
          for (int64_t o = 0; o < a[2].out; ++o, ++at) {
            int64_t best = -1;
            double sum = 0;
            const Window window = for_each_element(plan, {z, y, o}, [&](int64_t flat) {
              const T value = x[plane * inputs + flat];
              if (best < 0 || value > x[plane * inputs + best]) best = flat;
              sum += static_cast<double>(value);
            });
            // Of padding alone there is no maximum; such windows are refused before they come here.
            if (window.elements == 0) continue;
            const T maximum = x[plane * inputs + best];
            demand(plain[at] == maximum && largest[at] == maximum, "wrong maximum");
            demand(indices[at] == best, "wrong index of a maximum");
            if (!std::is_floating_point_v<T>) continue;
            // Sums of whole numbers are exact, and the quotient is rounded once.
            demand(average[at] == static_cast<T>(sum) / static_cast<T>(window.counted), "wrong average");
          }
  }
}

void check_plan(FuzzedDataProvider& in) {
  std::vector<int32_t> fields = {static_cast<int32_t>(draw(in, 0, 7)), static_cast<int32_t>(draw(in, 0, 4)),
                                 in.ConsumeBool()};
  const int64_t rank = draw(in, 1, 3);
  int64_t taps = 1;
  for (int64_t i = 0; i < 3; ++i) {
    Axis a{1, 1, 1, 1, 0, 0, 1};
    if (i >= 3 - rank) {
      a = {draw_size(in, 0, 40),
           draw_size(in, 1, 12),
           draw(in, 1, 4),
           draw(in, 1, 3),
           draw(in, 0, 6),
           draw(in, 0, 6),
           0};
      const int64_t room = a.in + a.pad_before + a.pad_after - a.dilation * (a.kernel - 1) - 1;
      const bool rounds_up = in.ConsumeBool();
      a.out = room < 0 ? 0 : (room + (rounds_up ? a.stride - 1 : 0)) / a.stride + 1;
    }
    taps *= a.kernel;
    for (const int64_t field : {a.in, a.kernel, a.stride, a.dilation, a.pad_before, a.pad_after, a.out})
      fields.push_back(static_cast<int32_t>(field));
  }
  const WirePoolPlan wire = pool_plan(fields.data());
  if (wire.input_length > kMostElements || wire.output_length * taps > kMostProducts) return;
  const int64_t offset = draw(in, 0, 3);
  const auto seed = in.ConsumeIntegral<uint16_t>();
  switch (wire.pool.dtype) {
    case DType::f32:
      return check_pool<float>(wire, offset, seed);
    case DType::f64:
      return check_pool<double>(wire, offset, seed);
    case DType::i8:
      return check_pool<int8_t>(wire, offset, seed);
    case DType::u8:
      return check_pool<uint8_t>(wire, offset, seed);
    case DType::i16:
      return check_pool<int16_t>(wire, offset, seed);
    case DType::u16:
      return check_pool<uint16_t>(wire, offset, seed);
    case DType::i32:
      return check_pool<int32_t>(wire, offset, seed);
    default:
      return check_pool<uint32_t>(wire, offset, seed);
  }
}

template <typename T>
void check_gradient(FuzzedDataProvider& in) {
  const int64_t planes = draw(in, 0, 4), outputs = draw_size(in, 0, 60), inputs = draw_size(in, 0, 60);
  const auto seed = in.ConsumeIntegral<uint16_t>();
  const Operand<T> dy = whole_operand<T>(planes * outputs, draw(in, 0, 3), seed);
  Operand<int32_t> indices(planes * outputs, 0);
  std::mt19937 random(seed);
  for (int64_t i = 0; i < indices.size(); ++i)
    indices[i] = static_cast<int32_t>(random() % std::max<int64_t>(1, inputs));
  if (in.ConsumeBool() && indices.size() > 0) {
    indices[draw(in, 0, indices.size() - 1)] = in.PickValueInArray<int32_t>(
        {-1, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min(), 60, 61});
  }
  bool sound = true;
  std::vector<T> expected(planes * inputs);
  for (int64_t i = 0; i < indices.size(); ++i) {
    const bool inside = indices[i] >= 0 && indices[i] < inputs;
    sound = sound && inside;
    if (inside) expected[i / outputs * inputs + indices[i]] += dy[i];
  }
  Operand<T> dx(planes * inputs, draw(in, 0, 3));
  const bool accepted = max_pool_grad(sizeof(T) == 4 ? DType::f32 : DType::f64, planes, outputs, inputs,
                                      dy.data(), indices.data(), dx.data());
  demand(accepted == sound, "an index outside is refused, and nothing else");
  demand(!sound || std::equal(expected.begin(), expected.end(), dx.data()), "wrong gradient");
}

}  // namespace
}  // namespace convmat::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace convmat::test;
  FuzzedDataProvider in(data, size);
  try {
    switch (in.ConsumeIntegralInRange(0, 5)) {
      case 0:
        check_gradient<float>(in);
        break;
      case 1:
        check_gradient<double>(in);
        break;
      default:
        check_plan(in);
    }
  } catch (const convmat::Refusal&) {
  }
  return 0;
}
