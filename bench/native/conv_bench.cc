// Convolution layers (bench/shapes) by every algorithm and instruction set, beside oneDNN when it is there:
// kernels alone, weights packed beforehand, NCHW in and out, one thread.
//
//   conv_bench [--benchmark_filter=network/layer/algorithm/isa]
//
// Without a filter, the layers of kLayers; any other by a filter that names it.
//
// Each result is checked first against im2col's. Besides the time there is GF/s: 2 * multiplications of the
// direct sum per second, whatever the algorithm does. Repetitions are interleaved, since clocks and
// neighbours change.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "conv/conv.h"
#include "runtime/context.h"
#include "runtime/cpu.h"
#include "runtime/thread_pool.h"
#if CONVMAT_WITH_DNNL
  #include <dnnl.hpp>
#endif

namespace convmat {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

struct Layer {
  std::string name;
  ConvPlan plan;
};

// "1x64x56x56" or "1,2,2" as numbers.
std::vector<int64_t> numbers(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == 'x' || c == ','; }, ' ');
  std::istringstream fields(text);
  std::vector<int64_t> values;
  for (int64_t value; fields >> value;) values.push_back(value);
  return values;
}

// The layers of a network, as bench/layers.mjs reads them: name, count, input, weight, stride, padding,
// groups.
void read_layers(const std::string& network, std::vector<Layer>& layers) {
  std::ifstream file(std::string(CONVMAT_SHAPES_DIR "/") + network + ".txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    std::string name, count, input, weight, stride, padding;
    int64_t groups = 1;
    fields >> name >> count >> input >> weight >> stride >> padding >> groups;
    const std::vector<int64_t> x = numbers(input), w = numbers(weight), strides = numbers(stride),
                               paddings = numbers(padding);
    ConvPlan plan = {
        ConvOp::forward, DType::f32, Algorithm::im2col, 0, PaddingMode::zeros, x[0], groups, x[1], w[0], {}};
    for (Axis& axis : plan.axis) axis = {1, 1, 1, 1, 0, 0, 1};
    const size_t rank = x.size() - 2;
    for (size_t i = 0; i < rank; ++i) {
      const int64_t step = strides[std::min(i, strides.size() - 1)],
                    pad = paddings[std::min(i, paddings.size() - 1)];
      plan.axis[3 - rank + i] = {
          x[i + 2], w[i + 2], step, 1, pad, pad, (x[i + 2] + 2 * pad - w[i + 2]) / step + 1};
    }
    layers.push_back({network + "/" + name, plan});
  }
}

// The product of a size of all axes.
template <typename Size>
int64_t over_axes(const ConvPlan& p, Size size) {
  return size(p.axis[0]) * size(p.axis[1]) * size(p.axis[2]);
}
int64_t outputs(const ConvPlan& p) {
  return p.batch * p.out_channels * over_axes(p, [](const Axis& a) { return a.out; });
}
int64_t products_each(const ConvPlan& p) {
  return p.in_channels / p.groups * over_axes(p, [](const Axis& a) { return a.kernel; });
}

struct Data {
  explicit Data(const ConvPlan& p)
      : x(p.batch * p.in_channels * over_axes(p, [](const Axis& a) { return a.in; })),
        w(p.out_channels * products_each(p)),
        bias(p.out_channels),
        y(outputs(p)) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (auto* values : {&x, &w, &bias}) {
      for (float& v : *values) v = normal(random);
    }
  }
  std::vector<float> x, w, bias, y;
};

double flops(const ConvPlan& p) {
  return 2.0 * static_cast<double>(outputs(p)) * static_cast<double>(products_each(p));
}

void report(benchmark::State& state, const ConvPlan& plan) {
  state.counters["GF/s"] = benchmark::Counter(flops(plan) * 1e-9 * static_cast<double>(state.iterations()),
                                              benchmark::Counter::kIsRate);
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference = std::fmax(difference, std::fabs(double{a[i]} - double{b[i]}));
    size = std::fmax(size, std::fabs(double{a[i]}));
  }
  return difference / size;
}

struct Contender {
  const char* name;
  Algorithm algorithm;
  int32_t variant;
  bool (*pays)(const ConvPlan&);  // of plans that it serves, those that it is worth timing for
};

bool is_flat(const ConvPlan& p) { return p.axis[0].in == 1 && p.axis[0].kernel == 1; }
bool is_depthwise(const ConvPlan& p) {
  return is_flat(p) && p.in_channels == p.groups && p.axis[1].kernel == p.axis[2].kernel &&
         (p.axis[1].kernel == 3 || p.axis[1].kernel == 5) && p.axis[1].stride <= 2;
}
template <int N>
bool is_large(const ConvPlan& p) {
  return is_flat(p) && p.axis[1].kernel >= 9 && p.axis[1].kernel < N && p.axis[2].kernel < N &&
         p.axis[1].stride == 1;
}
template <int N>
bool is_long(const ConvPlan& p) {
  return is_flat(p) && p.axis[1].kernel == 1 && p.axis[2].kernel >= 33 && p.axis[2].kernel < N &&
         p.axis[2].stride == 1;
}
bool is_winograd(const ConvPlan& p) {
  return is_flat(p) && p.axis[1].kernel == 3 && p.axis[2].kernel == 3 && p.axis[1].stride == 1 &&
         p.in_channels / p.groups >= 4;
}

const Contender kContenders[] = {
    {"im2col", Algorithm::im2col, 0, [](const ConvPlan&) { return true; }},
    {"direct", Algorithm::direct, 0, [](const ConvPlan&) { return true; }},
    {"depthwise", Algorithm::depthwise, 0, is_depthwise},
    {"fft64", Algorithm::fft, 64 << 16 | 64, is_large<64>},
    {"fft128", Algorithm::fft, 128 << 16 | 128, is_large<128>},
    {"fft256", Algorithm::fft, 256 << 16 | 256, is_large<256>},
    {"fft1x1024", Algorithm::fft, 1 << 16 | 1024, is_long<1024>},
    {"fft1x4096", Algorithm::fft, 1 << 16 | 4096, is_long<4096>},
    {"toeplitz", Algorithm::toeplitz, 0, [](const ConvPlan&) { return true; }},
    {"winograd2", Algorithm::winograd, 2, is_winograd},
    {"winograd4", Algorithm::winograd, 4, is_winograd},
};

ConvPlan plan_of(const Layer& layer, const Contender& contender) {
  ConvPlan plan = layer.plan;
  plan.algorithm = contender.algorithm;
  plan.variant = contender.variant;
  return plan;
}

void run_ours(benchmark::State& state, const Layer& layer, const Contender& contender,
              const KernelTable* kernels) {
  const ConvPlan plan = plan_of(layer, contender);
  Data data(plan);
  const Context context{kernels};
  const auto packed = pack_conv(context, plan, data.w.data(), data.bias.data(), -kInf, kInf);
  run_conv(context, plan, *packed, data.x.data(), data.y.data());
  if (contender.algorithm != Algorithm::im2col) {
    const ConvPlan reference = plan_of(layer, kContenders[0]);
    const auto lowered = pack_conv(context, reference, data.w.data(), data.bias.data(), -kInf, kInf);
    std::vector<float> expected(data.y.size());
    run_conv(context, reference, *lowered, data.x.data(), expected.data());
    if (largest_difference(expected, data.y) > 2e-5) return state.SkipWithError("wrong answer");
  }
  for (auto _ : state) run_conv(context, plan, *packed, data.x.data(), data.y.data());
  report(state, plan);
}

#if CONVMAT_WITH_DNNL
// Weights in the layout that oneDNN prefers; activations in NCHW, reordered within the time when it prefers
// another.
void run_dnnl(benchmark::State& state, const Layer& layer, bool blocked, dnnl::algorithm algorithm) {
  using dnnl::memory;
  const ConvPlan& p = layer.plan;
  Data data(p);
  dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const memory::dims x_dims = {p.batch, p.in_channels, p.axis[1].in, p.axis[2].in};
  const memory::dims y_dims = {p.batch, p.out_channels, p.axis[1].out, p.axis[2].out};
  const memory::dims w_dims =
      p.groups == 1 ? memory::dims{p.out_channels, p.in_channels, p.axis[1].kernel, p.axis[2].kernel}
                    : memory::dims{p.groups, p.out_channels / p.groups, p.in_channels / p.groups,
                                   p.axis[1].kernel, p.axis[2].kernel};
  const auto f32 = memory::data_type::f32;
  const auto w_plain = p.groups == 1 ? memory::format_tag::oihw : memory::format_tag::goihw;
  const auto chosen = blocked ? memory::format_tag::any : memory::format_tag::nchw;
  const memory::desc x_nchw(x_dims, f32, memory::format_tag::nchw),
      y_nchw(y_dims, f32, memory::format_tag::nchw);
  try {
    dnnl::convolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, algorithm, {x_dims, f32, chosen},
        {w_dims, f32, memory::format_tag::any}, {{p.out_channels}, f32, memory::format_tag::x},
        {y_dims, f32, chosen}, {p.axis[1].stride, p.axis[2].stride},
        {p.axis[1].pad_before, p.axis[2].pad_before}, {p.axis[1].pad_after, p.axis[2].pad_after});
    dnnl::convolution_forward::primitive_desc primitive(desc, engine);
    memory x(x_nchw, engine, data.x.data()), y(y_nchw, engine, data.y.data());
    memory w_from({w_dims, f32, w_plain}, engine, data.w.data()), w(primitive.weights_desc(), engine);
    memory bias({{p.out_channels}, f32, memory::format_tag::x}, engine, data.bias.data());
    dnnl::reorder(w_from, w).execute(stream, w_from, w);
    const bool reorder_x = primitive.src_desc() != x_nchw, reorder_y = primitive.dst_desc() != y_nchw;
    memory x_in = reorder_x ? memory(primitive.src_desc(), engine) : x;
    memory y_out = reorder_y ? memory(primitive.dst_desc(), engine) : y;
    dnnl::reorder to_x(x, x_in), from_y(y_out, y);
    dnnl::convolution_forward conv(primitive);
    for (auto _ : state) {
      if (reorder_x) to_x.execute(stream, x, x_in);
      conv.execute(
          stream,
          {{DNNL_ARG_SRC, x_in}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, y_out}});
      if (reorder_y) from_y.execute(stream, y_out, y);
      stream.wait();
    }
    report(state, p);
  } catch (const dnnl::error& error) {
    state.SkipWithError(error.what());
  }
}
#endif

// What the multiply-add units can do: accumulators in registers, nothing loaded.
void run_peak(benchmark::State& state, const KernelTable* kernels) {
  const GemmBlocking& b = kernels->f32.gemm_blocking;
  constexpr int64_t k = 256;
  std::vector<float> a(b.mr * k, 1e-3f), panel(b.nr * k, 1e-3f), c(b.mr * b.nr);
  const GemmTile<float> tile = {k,    a.data(), panel.data(), b.nr,      c.data(), b.nr,
                                b.nr, false,    nullptr,      -INFINITY, INFINITY};
  for (auto _ : state) {
    kernels->f32.gemm(b.mr, tile);
    benchmark::ClobberMemory();
  }
  state.counters["GF/s"] = benchmark::Counter(
      2e-9 * b.mr * b.nr * k * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void register_all(const std::vector<Layer>& layers) {
  // Products of the direct sum from which a run is long enough for three to do, whoever runs it.
  constexpr int64_t kManyProducts = 200'000'000;
  const auto timed = [](benchmark::internal::Benchmark* b, int64_t products) {
    const int repetitions = products < kManyProducts ? 9 : 3;
    b->Unit(benchmark::kMicrosecond)->MinTime(0.02)->Repetitions(repetitions)->ReportAggregatesOnly();
    b->ComputeStatistics("min",
                         [](const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); });
    b->ComputeStatistics("max",
                         [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); });
  };
  for (const KernelTable* kernels : available_kernels()) {
    timed(benchmark::RegisterBenchmark((std::string("peak/gemm/") + kernels->name).c_str(),
                                       [=](benchmark::State& s) { run_peak(s, kernels); }),
          0);
  }
  for (const Layer& layer : layers) {
    const int64_t products = outputs(layer.plan) * products_each(layer.plan);
    for (const Contender& contender : kContenders) {
      if (!contender.pays(layer.plan) || !serves(plan_of(layer, contender))) continue;
      for (const KernelTable* kernels : available_kernels()) {
        const std::string name = layer.name + "/" + contender.name + "/" + kernels->name;
        timed(benchmark::RegisterBenchmark(
                  name.c_str(),
                  [=, &layer, &contender](benchmark::State& s) { run_ours(s, layer, contender, kernels); }),
              products);
      }
    }
#if CONVMAT_WITH_DNNL
    if (!is_flat(layer.plan)) continue;
    using dnnl::algorithm;
    const auto peer = [&](const char* name, bool blocked, algorithm a) {
      timed(
          benchmark::RegisterBenchmark((layer.name + "/dnnl/" + name).c_str(),
                                       [=, &layer](benchmark::State& s) { run_dnnl(s, layer, blocked, a); }),
          products);
    };
    peer("nchw", false, algorithm::convolution_direct);
    peer("blocked", true, algorithm::convolution_direct);
    peer("winograd", true, algorithm::convolution_winograd);
#endif
  }
}

const char* const kNetworks[] = {"resnet50", "vgg16", "mobilenetv2", "lenet",
                                 "tiny",     "blur",  "audio",       "video"};

// One of each kind, none of which takes anybody many seconds.
const char kLayers[] =
    "^(peak|resnet50/(conv1|3x3_(64@56|128@28|256@14|512@7)|3x3s2_128@56|1x1_(64-256@56|256-64@56|512-128@28|"
    "1024-256@14|512-2048@7))|vgg16/3x3_64-64@224|mobilenetv2/(dw3x3s2_96@112|dw3x3_(144@56|384@14))|"
    "tiny/3x3_3-32@32_batch5|lenet/conv2|blur/15x15@1024|audio/filter_401@16000)/";

}  // namespace
}  // namespace convmat

int main(int argc, char** argv) {
  setenv("OMP_NUM_THREADS", "1", 1);
  convmat::ThreadPool::shared().set_threads(1);
  std::vector<convmat::Layer> layers;
  for (const char* network : convmat::kNetworks) convmat::read_layers(network, layers);
  std::vector<char*> arguments(argv, argv + argc);
  char interleave[] = "--benchmark_enable_random_interleaving=true";
  // Later arguments win.
  std::string filter = std::string("--benchmark_filter=") + convmat::kLayers;
  arguments.insert(arguments.begin() + 1, {interleave, filter.data()});
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  convmat::register_all(layers);
  benchmark::RunSpecifiedBenchmarks();
}
