// Memory that runs out, at each allocation of each operation in turn: a std::bad_alloc or a right result,
// nothing leaked, and the next call works. Replaces the allocator of the whole program, which fails only
// while it is told to.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>
#include <thread>
#include <vector>

#include "conv_check.h"
#include "core/executor.h"
#include "core/thread_pool.h"

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

// `result` is what `operation` writes.
void check_exhaustion(const char* name, const std::function<void()>& operation, std::vector<float>& result) {
  SCOPED_TRACE(name);
  runs_out(operation, kNever);  // what the first call keeps for good
  const std::vector<float> expected = result;
  const int64_t before = g_allocations.load();
  const int64_t live = g_live.load();
  runs_out(operation, kNever);
  const int64_t allocations = g_allocations.load() - before;
  ASSERT_GT(allocations, 0);
  // Workers keep scratch memory of their own from their first task on, whenever that is.
  const bool alone = ThreadPool::shared().threads() == 1;
  if (alone) {
    EXPECT_EQ(g_live.load(), live);
  }
  int64_t failures = 0;
  for (int64_t number = 0; number < allocations; ++number) {
    std::fill(result.begin(), result.end(), -777.0f);
    if (runs_out(operation, number))
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
  for (int64_t i = 0; i < kCalls; ++i) runs_out(operation, i % allocations);
  EXPECT_LT(g_live.load() - kept, kCalls / 4);
  std::fill(result.begin(), result.end(), -777.0f);
  EXPECT_FALSE(runs_out(operation, kNever));
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
