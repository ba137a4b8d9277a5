// f32 matrix products, A and B packed within the time, on one thread: at the shapes of ResNet-50's layers
// after im2col and at 1024 cubed, by every instruction set, beside OpenBLAS when it is there.
//
//   gemm_bench [--benchmark_filter=shape/isa]
//
// Each result is checked first against sums in double. GF/s: 2 * m * n * k per second. Repetitions are
// interleaved.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "ops/matmul.h"
#include "runtime/cpu.h"
#include "runtime/thread_pool.h"
#if CONVMAT_WITH_OPENBLAS
  #include <cblas.h>
#endif

namespace convmat {
namespace {

struct Shape {
  const char* name;
  int64_t m, n, k;
};
const Shape kShapes[] = {
    {"conv1", 64, 12544, 147},         {"3x3_64_56", 64, 3136, 576},      {"3x3_128_28", 128, 784, 1152},
    {"3x3_256_14", 256, 196, 2304},    {"3x3_512_7", 512, 49, 4608},      {"1x1_64_256_56", 256, 3136, 64},
    {"1x1_256_64_56", 64, 3136, 256},  {"1x1_512_128_28", 128, 784, 512}, {"1x1_1024_256_14", 256, 196, 1024},
    {"1x1_512_2048_7", 2048, 49, 512}, {"1024_cubed", 1024, 1024, 1024},
};

using Product = std::function<void(const float* a, const float* b, float* c)>;

void run(benchmark::State& state, const Shape& shape, const Product& product) {
  const auto [name, m, n, k] = shape;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> a(m * k), b(k * n), c(m * n);
  for (auto* operand : {&a, &b}) {
    for (float& value : *operand) value = normal(random);
  }
  product(a.data(), b.data(), c.data());
  for (int sample = 0; sample < 1000; ++sample) {
    const int64_t i = random() % m, j = random() % n;
    double expected = 0, size = 0;
    for (int64_t l = 0; l < k; ++l) {
      expected += double{a[i * k + l]} * b[l * n + j];
      size += std::fabs(double{a[i * k + l]} * b[l * n + j]);
    }
    if (!(std::fabs(c[i * n + j] - expected) <= 1e-6 * size)) return state.SkipWithError("wrong answer");
  }
  for (auto _ : state) product(a.data(), b.data(), c.data());
  state.counters["GF/s"] =
      benchmark::Counter(2e-9 * static_cast<double>(m * n * k) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate);
}

void register_all() {
  const auto timed = [](const std::string& name, const Shape& shape, const Product& product) {
    benchmark::RegisterBenchmark(name.c_str(),
                                 [&shape, product](benchmark::State& s) { run(s, shape, product); })
        ->Unit(benchmark::kMicrosecond)
        ->MinTime(0.02)
        ->Repetitions(9)
        ->ReportAggregatesOnly()
        ->ComputeStatistics(
            "min", [](const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); })
        ->ComputeStatistics(
            "max", [](const std::vector<double>& v) { return *std::max_element(v.begin(), v.end()); });
  };
  for (const Shape& shape : kShapes) {
    const auto [name, m, n, k] = shape;
    for (const KernelTable* kernels : available_kernels()) {
      timed(std::string(name) + "/" + kernels->name, shape,
            [kernels, m = m, n = n, k = k](const float* a, const float* b, float* c) {
              matmul({kernels}, DType::f32, DType::f32, m, n, k, a, b, c);
            });
    }
#if CONVMAT_WITH_OPENBLAS
    timed(std::string(name) + "/openblas", shape,
          [m = m, n = n, k = k](const float* a, const float* b, float* c) {
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, k, b, n, 0, c, n);
          });
#endif
  }
}

}  // namespace
}  // namespace convmat

int main(int argc, char** argv) {
  convmat::ThreadPool::shared().set_threads(1);
#if CONVMAT_WITH_OPENBLAS
  openblas_set_num_threads(1);
#endif
  std::vector<char*> arguments(argv, argv + argc);
  char interleave[] = "--benchmark_enable_random_interleaving=true";
  arguments.push_back(interleave);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  convmat::register_all();
  benchmark::RunSpecifiedBenchmarks();
}
