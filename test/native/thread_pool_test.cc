#include "runtime/thread_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <new>
#include <set>
#include <thread>
#include <vector>

#if !defined(_WIN32)
  #include <sys/wait.h>
  #include <unistd.h>
#endif

namespace convmat {
namespace {

constexpr double kWorthSharing = 1e9;

// Every test leaves the default behind.
class ThreadPoolTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { ThreadPool::shared().set_threads(GetParam()); }
  void TearDown() override { ThreadPool::shared().set_threads(0); }
};

void spend(std::chrono::microseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until) {
  }
}

TEST_P(ThreadPoolTest, RunsEveryChunkOnce) {
  for (const int64_t chunks : {0, 1, 2, 3, 7, 64, 1000}) {
    std::vector<int> runs(chunks, 0);  // plain: TSan would see two threads on one chunk
    parallel_for(chunks, kWorthSharing, [&](int64_t i) { ++runs[i]; });
    EXPECT_EQ(runs, std::vector<int>(chunks, 1)) << chunks << " chunks";
  }
}

TEST_P(ThreadPoolTest, ManyCallsInARowWithAndWithoutGaps) {
  std::vector<int64_t> sums(16);
  for (int call = 0; call < 3000; ++call) {
    parallel_for(16, kWorthSharing, [&](int64_t i) { sums[i] += i; });
    if (call % 500 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // workers fall asleep
  }
  for (int64_t i = 0; i < 16; ++i) EXPECT_EQ(sums[i], 3000 * i);
}

TEST_P(ThreadPoolTest, ConcurrentCallersEachGetTheirOwnWork) {
  std::vector<std::thread> callers;
  std::vector<int> failures(4, 0);
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([caller, &failures] {
      for (int call = 0; call < 300; ++call) {
        std::vector<int> runs(8, 0);
        parallel_for(8, kWorthSharing, [&](int64_t i) { runs[i] += caller + 1; });
        if (runs != std::vector<int>(8, caller + 1)) ++failures[caller];
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(failures, std::vector<int>(4, 0));
}

TEST_P(ThreadPoolTest, NestedCallsRunOnTheirCaller) {
  std::vector<std::vector<int>> runs(8, std::vector<int>(8, 0));
  parallel_for(8, kWorthSharing, [&](int64_t i) {
    const auto self = std::this_thread::get_id();
    parallel_for(8, kWorthSharing, [&](int64_t j) { runs[i][j] += std::this_thread::get_id() == self; });
  });
  for (const auto& row : runs) EXPECT_EQ(row, std::vector<int>(8, 1));
}

TEST_P(ThreadPoolTest, AnExceptionReachesTheCallerAndThePoolGoesOn) {
  for (int call = 0; call < 100; ++call) {
    EXPECT_THROW(parallel_for(32, kWorthSharing,
                              [&](int64_t i) {
                                if (i == call % 32) throw std::bad_alloc();
                              }),
                 std::bad_alloc);
    int64_t runs[8] = {};
    parallel_for(8, kWorthSharing, [&](int64_t i) { runs[i] = 1; });
    for (const int64_t run : runs) EXPECT_EQ(run, 1);
  }
}

TEST_P(ThreadPoolTest, SerialScopeKeepsWorkOnItsThread) {
  const SerialScope scope(true);
  const auto self = std::this_thread::get_id();
  std::vector<int> own(64, 0);
  parallel_for(64, kWorthSharing, [&](int64_t i) { own[i] = std::this_thread::get_id() == self; });
  EXPECT_EQ(own, std::vector<int>(64, 1));
}

TEST_P(ThreadPoolTest, SmallWorkIsNotShared) {
  const auto self = std::this_thread::get_id();
  std::vector<int> own(64, 0);
  parallel_for(64, kParallelWorthNs - 1, [&](int64_t i) { own[i] = std::this_thread::get_id() == self; });
  EXPECT_EQ(own, std::vector<int>(64, 1));
}

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadPoolTest, ::testing::Values(1, 2, 3, 8),
                         [](const auto& info) { return std::to_string(info.param) + "_threads"; });

TEST(ThreadPool, UsesItsWorkers) {
  ThreadPool::shared().set_threads(3);
  std::set<std::thread::id> seen;
  // A worker may be late for one call, never for a second's worth of them.
  for (int call = 0; call < 1000 && seen.size() < 3; ++call) {
    std::thread::id ids[12];
    parallel_for(12, kWorthSharing, [&](int64_t i) {
      spend(std::chrono::microseconds(100));
      ids[i] = std::this_thread::get_id();
    });
    seen.insert(ids, ids + 12);
  }
  EXPECT_EQ(seen.size(), 3u);
  ThreadPool::shared().set_threads(0);
}

TEST(ThreadPool, SizeChangesBetweenAndDuringCalls) {
  std::atomic<bool> done{false};
  std::thread resizer([&] {
    for (int n = 1; n <= 40; ++n) ThreadPool::shared().set_threads(n % 5 + 1);
    done = true;
  });
  while (!done) {
    int runs[8] = {};
    parallel_for(8, kWorthSharing, [&](int64_t i) { ++runs[i]; });
    for (const int run : runs) ASSERT_EQ(run, 1);
  }
  resizer.join();
  ThreadPool::shared().set_threads(0);
  EXPECT_GE(ThreadPool::shared().threads(), 1);
}

#if !defined(_WIN32) && \
    !defined(__SANITIZE_THREAD__)  // TSan refuses threads after a fork of a threaded process
TEST(ThreadPool, AForkedChildGetsItsOwn) {
  ThreadPool::shared().set_threads(2);
  parallel_for(8, kWorthSharing, [](int64_t) {});
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    int runs[64] = {};
    ThreadPool::shared().set_threads(2);
    parallel_for(64, kWorthSharing, [&](int64_t i) { ++runs[i]; });
    int sum = 0;
    for (const int run : runs) sum += run;
    _exit(sum == 64 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  ThreadPool::shared().set_threads(0);
}
#endif

}  // namespace
}  // namespace convmat
