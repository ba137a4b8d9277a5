// Convolution layers (bench/shapes/layers.txt) by every algorithm and instruction set, beside oneDNN when it
// is there: kernels alone, weights packed beforehand, NCHW in and out, one thread.
//
//   conv_bench [--benchmark_filter=layer/algorithm/isa]
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

#include "core/conv_algorithm.h"
#include "core/cpu.h"
#include "core/thread_pool.h"
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

std::vector<Layer> read_layers(const std::string& path) {
  std::ifstream file(path);
  std::vector<Layer> layers;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    std::string name;
    int64_t n, g, c, h, w, k, kh, kw, stride, pad;
    fields >> name >> n >> g >> c >> h >> w >> k >> kh >> kw >> stride >> pad;
    const auto axis = [&](int64_t in, int64_t kernel) {
      return Axis{in, kernel, stride, 1, pad, pad, (in + 2 * pad - kernel) / stride + 1};
    };
    layers.push_back({name,
                      {ConvOp::forward,
                       DType::f32,
                       Algorithm::im2col,
                       0,
                       PaddingMode::zeros,
                       n,
                       g,
                       c,
                       k,
                       {Axis{1, 1, 1, 1, 0, 0, 1}, axis(h, kh), axis(w, kw)}}});
  }
  return layers;
}

struct Data {
  explicit Data(const ConvPlan& p)
      : x(p.batch * p.in_channels * p.axis[1].in * p.axis[2].in),
        w(p.out_channels * p.in_channels / p.groups * p.axis[1].kernel * p.axis[2].kernel),
        bias(p.out_channels),
        y(p.batch * p.out_channels * p.axis[1].out * p.axis[2].out) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (auto* values : {&x, &w, &bias}) {
      for (float& v : *values) v = normal(random);
    }
  }
  std::vector<float> x, w, bias, y;
};

double flops(const ConvPlan& p) {
  return 2.0 * static_cast<double>(p.batch * p.out_channels * p.axis[1].out * p.axis[2].out) *
         static_cast<double>(p.in_channels / p.groups * p.axis[1].kernel * p.axis[2].kernel);
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
  PackConvFn* pack;
  int32_t variant;
  bool (*serves)(const ConvPlan&);
};

bool is_depthwise(const ConvPlan& p) { return p.in_channels == p.groups && p.axis[1].kernel <= 5; }
template <int N>
bool is_large(const ConvPlan& p) {
  return p.axis[1].kernel >= 9 && p.axis[1].kernel < N && p.axis[2].kernel < N && p.axis[1].stride == 1;
}
bool is_winograd(const ConvPlan& p) {
  return p.axis[1].kernel == 3 && p.axis[2].kernel == 3 && p.axis[1].stride == 1 &&
         p.in_channels / p.groups >= 4;
}

const Contender kContenders[] = {
    {"im2col", pack_im2col_forward, 0, [](const ConvPlan&) { return true; }},
    {"direct", pack_direct_forward, 0, [](const ConvPlan&) { return true; }},
    {"depthwise", pack_depthwise_forward, 0, is_depthwise},
    {"fft64", pack_fft_forward, 64 << 16 | 64, is_large<64>},
    {"fft128", pack_fft_forward, 128 << 16 | 128, is_large<128>},
    {"fft256", pack_fft_forward, 256 << 16 | 256, is_large<256>},
    {"toeplitz", pack_toeplitz, 0, [](const ConvPlan&) { return true; }},
    {"winograd2", pack_winograd_forward, 2, is_winograd},
    {"winograd4", pack_winograd_forward, 4, is_winograd},
};

void run_ours(benchmark::State& state, const Layer& layer, const Contender& contender,
              const KernelTable* kernels) {
  ConvPlan plan = layer.plan;
  plan.variant = contender.variant;
  Data data(plan);
  const Context context{kernels};
  const auto packed = contender.pack(context, plan, data.w.data(), data.bias.data(), -kInf, kInf);
  packed->run(context, plan, data.x.data(), data.y.data());
  if (contender.pack != pack_im2col_forward) {
    std::vector<float> expected(data.y.size());
    pack_im2col_forward(context, layer.plan, data.w.data(), data.bias.data(), -kInf, kInf)
        ->run(context, layer.plan, data.x.data(), expected.data());
    if (largest_difference(expected, data.y) > 2e-5) return state.SkipWithError("wrong answer");
  }
  for (auto _ : state) packed->run(context, plan, data.x.data(), data.y.data());
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
  const GemmBlocking& b = kernels->f32_blocking;
  constexpr int64_t k = 256;
  std::vector<float> a(b.mr * k, 1e-3f), panel(b.nr * k, 1e-3f), c(b.mr * b.nr);
  const GemmTile<float> tile = {k,    a.data(), panel.data(), b.nr,      c.data(), b.nr,
                                b.nr, false,    nullptr,      -INFINITY, INFINITY};
  for (auto _ : state) {
    kernels->f32_gemm(b.mr, tile);
    benchmark::ClobberMemory();
  }
  state.counters["GF/s"] = benchmark::Counter(
      2e-9 * b.mr * b.nr * k * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void register_all(const std::vector<Layer>& layers) {
  const auto timed = [](benchmark::internal::Benchmark* b) {
    b->Unit(benchmark::kMicrosecond)->MinTime(0.02)->Repetitions(9)->ReportAggregatesOnly();
    b->ComputeStatistics("min",
                         [](const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); });
    b->ComputeStatistics("max",
                         [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); });
  };
  for (const KernelTable* kernels : available_kernels()) {
    timed(benchmark::RegisterBenchmark((std::string("peak/gemm/") + kernels->name).c_str(),
                                       [=](benchmark::State& s) { run_peak(s, kernels); }));
  }
  for (const Layer& layer : layers) {
    for (const Contender& contender : kContenders) {
      if (!contender.serves(layer.plan)) continue;
      for (const KernelTable* kernels : available_kernels()) {
        const std::string name = layer.name + "/" + contender.name + "/" + kernels->name;
        timed(benchmark::RegisterBenchmark(name.c_str(), [=, &layer, &contender](benchmark::State& s) {
          run_ours(s, layer, contender, kernels);
        }));
      }
    }
#if CONVMAT_WITH_DNNL
    using dnnl::algorithm;
    const auto peer = [&](const char* name, bool blocked, algorithm a) {
      timed(
          benchmark::RegisterBenchmark((layer.name + "/dnnl/" + name).c_str(),
                                       [=, &layer](benchmark::State& s) { run_dnnl(s, layer, blocked, a); }));
    };
    peer("nchw", false, algorithm::convolution_direct);
    peer("blocked", true, algorithm::convolution_direct);
    peer("winograd", true, algorithm::convolution_winograd);
#endif
  }
}

}  // namespace
}  // namespace convmat

int main(int argc, char** argv) {
  setenv("OMP_NUM_THREADS", "1", 1);
  convmat::ThreadPool::shared().set_threads(1);
  const std::vector<convmat::Layer> layers = convmat::read_layers(CONVMAT_SHAPES_DIR "/layers.txt");
  std::vector<char*> arguments(argv, argv + argc);
  char interleave[] = "--benchmark_enable_random_interleaving=true";
  arguments.push_back(interleave);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  convmat::register_all(layers);
  benchmark::RunSpecifiedBenchmarks();
}
