// Memory that runs out, at each allocation of each operation in turn: a std::bad_alloc or a right result,
// nothing leaked, and the next call works. Replaces the allocator of the whole program, which fails only
// while it is told to.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>
#include <thread>
#include <vector>

#include "conv/weight_grad.h"
#include "conv_check.h"
#include "integer/conv.h"
#include "ops/csr.h"
#include "ops/entries.h"
#include "ops/fft.h"
#include "ops/fixed.h"
#include "ops/matmul.h"
#include "ops/pool.h"
#include "ops/unfold.h"
#include "runtime/executor.h"
#include "runtime/spare_block.h"
#include "runtime/thread_pool.h"

#if !defined(_WIN32)

namespace {

constexpr int64_t kNever = -1;
std::atomic<int64_t> g_until_failure{kNever};  // allocations that still succeed
std::atomic<int64_t> g_allocations{0}, g_live{0};

void* allocate(size_t bytes, size_t alignment) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  if (g_until_failure.load(std::memory_order_relaxed) != kNever &&
      g_until_failure.fetch_sub(1, std::memory_order_relaxed) <= 0) {
    g_until_failure.store(0, std::memory_order_relaxed);  // and everything after it
    throw std::bad_alloc();
  }
  void* const memory = std::aligned_alloc(alignment, (bytes + alignment) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  g_live.fetch_add(1, std::memory_order_relaxed);
  return memory;
}

void release(void* memory) noexcept {
  if (memory != nullptr) g_live.fetch_sub(1, std::memory_order_relaxed);
  std::free(memory);
}

}  // namespace

void* operator new(size_t bytes) { return allocate(bytes, alignof(std::max_align_t)); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { release(memory); }

namespace convmat::test {
namespace {

// What std::thread itself allocates, before `operation` begins.
constexpr int64_t kOfTheThread = 1;

// Runs `operation` on a thread of its own, whose scratch memory is new and goes with it, where the allocation
// of this number is the first to fail. True when it threw bad_alloc.
bool runs_out(const std::function<void()>& operation, int64_t number) {
  bool threw = false;
  std::thread([&] {
    g_until_failure.store(number);
    try {
      operation();
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    g_until_failure.store(kNever);
  }).join();
  return threw;
}

enum class Needs { memory, none };

// `result` is what `operation` writes. `forget` empties caches that would spare it what it allocates.
template <typename T>
void check_exhaustion(
    const char* name, const std::function<void()>& operation, std::vector<T>& result,
    Needs needs = Needs::memory, const std::function<void()>& forget = [] {}) {
  SCOPED_TRACE(name);
  constexpr T kUnwritten{77};
  const auto attempt = [&](int64_t number) {
    forget();
    const bool ran_out = runs_out(operation, number);
    forget();
    return ran_out;
  };
  attempt(kNever);  // what the first call keeps for good
  const std::vector<T> expected = result;
  forget();
  const int64_t before = g_allocations.load();
  runs_out(operation, kNever);
  const int64_t own = g_allocations.load() - before - kOfTheThread;
  if (needs == Needs::none) {
    EXPECT_EQ(own, 0);
    return;
  }
  forget();
  const int64_t live = g_live.load();
  ASSERT_GT(own, 0);
  // Workers keep scratch memory of their own from their first task on, whenever that is.
  const bool alone = ThreadPool::shared().threads() == 1;
  int64_t failures = 0;
  for (int64_t number = 0; number < own; ++number) {
    std::fill(result.begin(), result.end(), kUnwritten);
    if (attempt(number))
      ++failures;
    else
      EXPECT_EQ(result, expected) << number;
    if (alone) {
      EXPECT_EQ(g_live.load(), live) << "leaked after allocation " << number << " failed";
    }
  }
  EXPECT_GT(failures, 0);
  // What leaks grows with the calls.
  constexpr int64_t kCalls = 200;
  const int64_t kept = g_live.load();
  for (int64_t i = 0; i < kCalls; ++i) attempt(i % own);
  EXPECT_LT(g_live.load() - kept, kCalls / 4);
  std::fill(result.begin(), result.end(), kUnwritten);
  EXPECT_FALSE(attempt(kNever));
  EXPECT_EQ(result, expected);
}

const ConvCase kLayer{"layer", 2, 1, 20, 24, {{1, 1}, {19, 3, 1, 1, 1, 1}, {21, 3, 1, 1, 1, 1}}};
const ConvCase kPlanes{"planes", 2, 12, 12, 12, {{1, 1}, {19, 3, 1, 1, 1, 1}, {21, 3, 1, 1, 1, 1}}};
const ConvCase kBlur{"blur", 1, 1, 1, 1, {{1, 1}, {90, 15}, {91, 15}}};

class ExhaustionTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { ThreadPool::shared().set_threads(GetParam()); }
  void TearDown() override { ThreadPool::shared().set_threads(0); }
};

TEST_P(ExhaustionTest, Convolution) {
  struct {
    const char* name;
    const ConvCase& problem;
    Algorithm algorithm;
    int32_t variant;
  } const cases[] = {
      {"im2col", kLayer, Algorithm::im2col, 0},        {"direct", kLayer, Algorithm::direct, 0},
      {"depthwise", kPlanes, Algorithm::depthwise, 0}, {"winograd 2", kLayer, Algorithm::winograd, 2},
      {"winograd 4", kLayer, Algorithm::winograd, 4},  {"fft", kBlur, Algorithm::fft, 64 << 16 | 64},
      {"toeplitz", kLayer, Algorithm::toeplitz, 0},
  };
  for (const auto& c : cases) {
    const ConvPlan plan = forward_plan<float>(c.problem, c.algorithm, c.variant);
    const std::vector<float> x = normal_numbers<float>(input_size(plan), 1),
                             w = normal_numbers<float>(weight_size(plan), 2);
    std::vector<float> y(output_size(plan));
    const Context context{available_kernels().front()};
    check_exhaustion(
        c.name,
        [&] {
          run_conv(context, plan, *pack_conv(context, plan, w.data(), nullptr, -kInf, kInf), x.data(),
                   y.data());
        },
        y);
  }
}

TEST_P(ExhaustionTest, Gradients) {
  const Context context{available_kernels().front()};
  for (const ConvCase* problem : {&kLayer, &kPlanes}) {
    ConvPlan plan = plan_of(*problem, ConvOp::input_grad, DType::f32);
    const std::vector<float> x = normal_numbers<float>(input_size(plan), 1),
                             w = normal_numbers<float>(weight_size(plan), 2),
                             dy = normal_numbers<float>(output_size(plan), 3);
    std::vector<float> dx(x.size()), dw(w.size());
    check_exhaustion(
        "input",
        [&] {
          run_conv(context, plan, *pack_conv(context, plan, w.data(), nullptr, -kInf, kInf), dy.data(),
                   dx.data());
        },
        dx);
    plan.op = ConvOp::weight_grad;
    check_exhaustion(
        "weight", [&] { conv_weight_grad(context, plan, x.data(), dy.data(), dw.data()); }, dw);
  }
}

TEST_P(ExhaustionTest, Products) {
  const Context context{available_kernels().front()};
  const std::vector<float> a = normal_numbers<float>(90 * 300, 1), b = normal_numbers<float>(300 * 110, 2);
  std::vector<float> c(90 * 110);
  check_exhaustion(
      "matmul", [&] { matmul(context, DType::f32, DType::f32, 90, 110, 300, a.data(), b.data(), c.data()); },
      c);
}

TEST_P(ExhaustionTest, TransposedAndSeparable) {
  const Context context{available_kernels().front()};
  const ConvCase blur{"blur", 2, 3, 3, 3, {{1, 1}, {60, 9, 1, 1, 4, 4}, {61, 9, 1, 1, 4, 4}}};
  struct {
    const char* name;
    const ConvCase& problem;
    ConvOp op;
    Algorithm algorithm;
    int32_t variant;
  } const cases[] = {
      {"separable", blur, ConvOp::forward, Algorithm::depthwise, kSeparable},
      {"toeplitz, transposed", kLayer, ConvOp::input_grad, Algorithm::toeplitz, 0},
      {"winograd, transposed", kLayer, ConvOp::input_grad, Algorithm::winograd, 4},
      {"depthwise, transposed", kPlanes, ConvOp::input_grad, Algorithm::depthwise, 0},
  };
  for (const auto& c : cases) {
    ConvPlan plan = plan_of(c.problem, c.op, DType::f32);
    plan.algorithm = c.algorithm;
    plan.variant = c.variant;
    const bool forward = c.op == ConvOp::forward;
    const std::vector<float> w(weight_size(plan), 1.0f),  // of rank one
        x = normal_numbers<float>(forward ? input_size(plan) : output_size(plan), 1);
    std::vector<float> y(forward ? output_size(plan) : input_size(plan));
    check_exhaustion(
        c.name,
        [&] {
          run_conv(context, plan, *pack_conv(context, plan, w.data(), nullptr, -kInf, kInf), x.data(),
                   y.data());
        },
        y);
  }
}

TEST_P(ExhaustionTest, Integers) {
  const Context context{available_kernels().front()};
  for (const ConvCase* problem : {&kLayer, &kPlanes}) {
    IntegerConvPlan plan{};
    plan.conv = plan_of(*problem, ConvOp::forward, DType::u8);
    plan.weight_dtype = plan.output_dtype = DType::i8;
    plan.input_zero_point = 7;
    const std::vector<uint8_t> x(input_size(plan.conv), 3), w(weight_size(plan.conv), 5);
    const std::vector<int32_t> zeros(problem->out_channels, 1), bias(problem->out_channels, 100);
    const std::vector<double> multipliers(problem->out_channels, 0.01);
    std::vector<int8_t> y(output_size(plan.conv));
    check_exhaustion(
        problem->name.c_str(),
        [&] {
          pack_integer_conv(context, plan, w.data(), zeros.data(), bias.data(), multipliers.data())
              ->run(context, x.data(), y.data());
        },
        y);
  }
  const std::vector<int8_t> a(90 * 300, 3), b(300 * 110, -5);
  std::vector<int32_t> c(90 * 110);
  check_exhaustion(
      "matmul", [&] { matmul(context, DType::i8, DType::i8, 90, 110, 300, a.data(), b.data(), c.data()); },
      c);
}

TEST_P(ExhaustionTest, FixedPoint) {
  const Context context{available_kernels().front()};
  FixedConvPlan plan{};
  plan.rows = plan.out_rows = 60;
  plan.columns = plan.out_columns = 70;
  plan.planes = 2;
  plan.kernel_rows = plan.kernel_columns = 5;
  plan.pad_top = plan.pad_left = 2;
  plan.bits = 32;
  plan.shift = 6;
  plan.is_signed = true;
  plan.word_length = 12;
  const std::vector<int16_t> image(60 * 70 * 2, 300), kernel(25, 9);
  std::vector<int16_t> out(60 * 70 * 2);
  check_exhaustion(
      "conv2",
      [&] { fixed_conv2(context, plan, DType::i16, image.data(), DType::i16, kernel.data(), out.data()); },
      out);
}

// Other lengths take the places of those that a test asks for.
void forget_transforms() {
  for (int64_t n = 1; n <= 70; ++n) {
    Fft<float>::of(n);
    RealFft<float>::of(n);
  }
}

TEST_P(ExhaustionTest, Transforms) {
  const KernelTable& kernels = *available_kernels().front();
  for (const int64_t n : {1000, 1009}) {  // of small factors, and a prime
    const std::vector<float> re = normal_numbers<float>(n, 1), im = normal_numbers<float>(n, 2);
    std::vector<float> out(4 * n);
    check_exhaustion(
        n == 1000 ? "in two rounds" : "by a chirp",
        [&] {
          Fft<float>::of(n)->run(kernels, {re.data(), im.data()}, {out.data(), out.data() + n}, 1.0f);
          RealFft<float>::of(n)->run(kernels, re.data(), {out.data() + 2 * n, out.data() + 3 * n}, 1.0f);
        },
        out, Needs::memory, forget_transforms);
  }
  const std::vector<float> signal = normal_numbers<float>(20000, 3), kernel = normal_numbers<float>(300, 4);
  std::vector<float> out(20000);
  check_exhaustion(
      "convolution",
      [&] {
        fft_convolve(Context{&kernels}, signal.data(), 20000, kernel.data(), 300, 1024, 0, out.data(), 20000);
      },
      out, Needs::memory, forget_transforms);
}

// The last allocation of a new transform is its place among those that are kept.
TEST(Exhaustion, LeavesRoomForOtherTransforms) {
  // A worker allocates scratch memory with its first task, whenever that is.
  ThreadPool::shared().set_threads(1);
  const auto make = [](int64_t n) { return [n] { Fft<float>::of(n); }; };
  constexpr int64_t kLong = 100'003;  // a prime: megabytes, of the 16 that are kept
  runs_out(make(kLong), kNever);      // what the first call keeps for good
  forget_transforms();
  const int64_t before = g_allocations.load();
  runs_out(make(kLong), kNever);
  const int64_t last = g_allocations.load() - before - kOfTheThread - 1;
  for (int i = 0; i < 40; ++i) {
    forget_transforms();
    ASSERT_TRUE(runs_out(make(kLong), last));
  }
  runs_out(make(1000), kNever);
  runs_out(make(1024), kNever);
  const int64_t kept = g_allocations.load();
  runs_out(make(1000), kNever);
  EXPECT_EQ(g_allocations.load() - kept, kOfTheThread);
  ThreadPool::shared().set_threads(0);
}

// A block that cannot be kept is freed, and what is kept stays as it was.
TEST(Exhaustion, SpareBlocksAreKeptOrFreed) {
  constexpr size_t kMegabyte = size_t{1} << 20;
  int refused = 0;
  for (int64_t number = 0; number < 4; ++number) {
    for (const size_t size : {20, 30, 9}) {
      SpareBlock* const block = new SpareBlock(size * kMegabyte);
      const int64_t before = g_allocations.load();
      g_until_failure.store(number);
      block->~SpareBlock();
      refused += g_allocations.load() - before > number;
      g_until_failure.store(kNever);
      ::operator delete(block);
    }
  }
  EXPECT_GT(refused, 0);
  for (const size_t size : {30, 20, 16, 8, 4}) {
    const SpareBlock block(size * kMegabyte);
    std::fill_n(block.data(), size * kMegabyte, '\1');
  }
}

TEST_P(ExhaustionTest, TheMatrixOfAConvolution) {
  const ConvPlan plan = plan_of({"matrix", 1, 1, 2, 3, {{1, 1}, {9, 3, 1, 1, 1, 1}, {10, 3, 2, 1, 1, 1}}},
                                ConvOp::forward, DType::f32);
  const std::vector<float> w = normal_numbers<float>(weight_size(plan), 1);
  std::vector<int32_t> indptr(output_size(plan) + 1), indices;
  std::vector<float> entries;
  // One too many is refused, so that the right number is found by trying.
  for (int64_t nnz = 0;; ++nnz) {
    indices.assign(nnz, 0);
    entries.assign(nnz, 0);
    if (conv_entries(plan, w.data(), {nnz, indptr.data(), indices.data(), entries.data()})) break;
  }
  const auto nnz = static_cast<int64_t>(entries.size());
  check_exhaustion(
      "entries",
      [&] {
        EXPECT_TRUE(conv_entries(plan, w.data(), {nnz, indptr.data(), indices.data(), entries.data()}));
      },
      entries);
}

TEST_P(ExhaustionTest, Pooling) {
  const Context context{available_kernels().front()};
  const ConvPlan layer = plan_of(kLayer, ConvOp::forward, DType::f32);
  const std::vector<float> x = normal_numbers<float>(input_size(layer), 1);
  PoolPlan pool{DType::f32, layer.batch * layer.in_channels, true, {}};
  for (int i = 0; i < 3; ++i) {
    const Axis& a = layer.axis[i];
    pool.axis[i] = {a.in, a.kernel, 1, 1, a.pad_before, a.pad_after, a.out};
  }
  std::vector<float> pooled(x.size());
  std::vector<int32_t> places(x.size());
  check_exhaustion(
      "maxima", [&] { max_pool(context, pool, x.data(), pooled.data(), places.data()); }, pooled);
  check_exhaustion(
      "averages", [&] { avg_pool(context, pool, x.data(), pooled.data()); }, pooled);
}

// What has nothing to run out of.
TEST_P(ExhaustionTest, NothingIsAllocatedBy) {
  const Context context{available_kernels().front()};
  constexpr int64_t kPlanes = 40, kPlane = 400;
  const std::vector<float> dy = normal_numbers<float>(kPlanes * kPlane, 1);
  std::vector<int32_t> places(dy.size());
  for (size_t i = 0; i < places.size(); ++i) places[i] = static_cast<int32_t>(i * 31 % kPlane);
  std::vector<float> dx(dy.size()), bias(kPlanes);
  check_exhaustion(
      "the gradient of max pooling",
      [&] {
        EXPECT_TRUE(max_pool_grad(DType::f32, kPlanes, kPlane, kPlane, dy.data(), places.data(), dx.data()));
      },
      dx, Needs::none);
  check_exhaustion(
      "the gradient of a bias",
      [&] { conv_bias_grad(DType::f32, 1, kPlanes, kPlane, dy.data(), bias.data()); }, bias, Needs::none);

  constexpr int64_t kRows = 3000, kEntries = kRows * 40;
  std::vector<int32_t> indptr(kRows + 1), indices(kEntries);
  for (int64_t r = 0; r <= kRows; ++r) indptr[r] = static_cast<int32_t>(40 * r);
  for (int64_t p = 0; p < kEntries; ++p) indices[p] = static_cast<int32_t>(p * 7919 % kRows);
  const std::vector<float> data = normal_numbers<float>(kEntries, 5), v = normal_numbers<float>(kRows * 3, 6);
  const CsrMatrix a{DType::f32, kRows, kRows, kEntries, indptr.data(), indices.data(), data.data()};
  std::vector<float> product(kRows * 3);
  check_exhaustion(
      "sparse products",
      [&] {
        EXPECT_TRUE(csr_matvec(context, a, v.data(), product.data()));
        EXPECT_TRUE(csr_rmatvec(context, a, v.data(), product.data()));
        EXPECT_TRUE(csr_matmat(context, a, 3, v.data(), product.data()));
      },
      product, Needs::none);
}

TEST_P(ExhaustionTest, Lowering) {
  const Context context{available_kernels().front()};
  const ConvPlan plan = plan_of(kLayer, ConvOp::forward, DType::f32);
  const std::vector<float> x = normal_numbers<float>(input_size(plan), 1);
  std::vector<float> columns(x.size() * 9), image(x.size());
  check_exhaustion(
      "unfold", [&] { unfold(context, plan, x.data(), columns.data()); }, columns, Needs::none);
  check_exhaustion(
      "fold", [&] { fold(context, plan, columns.data(), image.data()); }, image, Needs::none);
}

// More than one thread: the pool's start, too, is among what can fail; then fewer work.
INSTANTIATE_TEST_SUITE_P(Threads, ExhaustionTest, testing::Values(1, 3), testing::PrintToStringParamName());

TEST(Exhaustion, OfTheExecutor) {
  class Flag : public Task {
   public:
    explicit Flag(std::atomic<int>* done) : Task(nullptr), done_(done) {}
    void run() override { done_->store(1); }

   private:
    std::atomic<int>* done_;
  };
  Executor& executor = Executor::shared();
  for (int64_t number = 0; number < 12; ++number) {
    std::atomic<int> done{0};
    const auto task = std::make_shared<Flag>(&done);
    g_until_failure.store(number);
    const bool taken = executor.submit(task);
    g_until_failure.store(kNever);
    if (!taken) continue;  // the caller runs it
    while (done.load() == 0) std::this_thread::yield();
  }
}

}  // namespace
}  // namespace convmat::test

#endif
