#include "runtime/executor.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <utility>

#include "runtime/thread_pool.h"

namespace convmat {
namespace {

class Call : public Task {
 public:
  Call(const void* owner, std::function<void(const Call&)> body) : Task(owner), body_(std::move(body)) {}
  void run() override { body_(*this); }

 private:
  std::function<void(const Call&)> body_;
};

// Counts down to zero; waits for it.
class Latch {
 public:
  explicit Latch(int count) : count_(count) {}
  void arrive() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--count_ == 0) zero_.notify_all();
  }
  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    zero_.wait(lock, [this] { return count_ <= 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable zero_;
  int count_;
};

void until_cancelled(const Call& call) {
  while (!call.cancelled()) std::this_thread::yield();
}

class ExecutorTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { ThreadPool::shared().set_threads(GetParam()); }
  void TearDown() override { ThreadPool::shared().set_threads(0); }
};

TEST_P(ExecutorTest, RunsEveryTaskElsewhere) {
  Latch all(200);
  std::atomic<int> elsewhere{0};
  const auto self = std::this_thread::get_id();
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(Executor::shared().submit(std::make_shared<Call>(&all, [&](const Call&) {
      int runs[16] = {};
      parallel_for(16, 1e9, [&](int64_t j) { ++runs[j]; });
      bool right = std::this_thread::get_id() != self;
      for (const int run : runs) right = right && run == 1;
      elsewhere += right;
      all.arrive();
    })));
  }
  all.wait();
  EXPECT_EQ(elsewhere, 200);
}

TEST_P(ExecutorTest, WithdrawsOneOwnersTasksAndWaitsForThem) {
  const int mine = 0, other = 0;
  std::atomic<int> left{0}, ran{0};
  Latch running(1), others(1);
  Executor::shared().submit(std::make_shared<Call>(&mine, [&](const Call& call) {
    running.arrive();
    until_cancelled(call);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ++left;
  }));
  running.wait();
  for (int i = 0; i < 20; ++i) {
    Executor::shared().submit(std::make_shared<Call>(&mine, [&](const Call& call) {
      ++ran;
      until_cancelled(call);
      ++left;
    }));
  }
  Executor::shared().submit(std::make_shared<Call>(&other, [&](const Call&) { others.arrive(); }));
  Executor::shared().withdraw(&mine);
  EXPECT_EQ(left, ran + 1);  // those that had started have left; the rest never starts
  others.wait();
  EXPECT_EQ(left, ran + 1);
  EXPECT_LT(ran, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Sizes, ExecutorTest, ::testing::Values(1, 2, 4),
                         [](const auto& info) { return std::to_string(info.param) + "_threads"; });

TEST(Executor, StartsTasksInOrder) {
  ThreadPool::shared().set_threads(1);
  std::vector<int> started;
  Latch all(50);
  for (int i = 0; i < 50; ++i) {
    Executor::shared().submit(std::make_shared<Call>(&all, [&, i](const Call&) {
      started.push_back(i);
      all.arrive();
    }));
  }
  all.wait();
  ASSERT_EQ(started.size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(started[i], i);
  ThreadPool::shared().set_threads(0);
}

TEST(Executor, AnOwnerWithoutTasksWithdrawsAtOnce) {
  const int nobody = 0;
  Executor::shared().withdraw(&nobody);
}

TEST(Executor, TasksOfManyOwnersFromManyThreads) {
  std::vector<std::thread> owners;
  std::atomic<int> touched_after_withdrawal{0};
  for (int o = 0; o < 4; ++o) {
    owners.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        std::atomic<bool> alive{true};
        for (int i = 0; i < 10; ++i) {
          Executor::shared().submit(
              std::make_shared<Call>(&alive, [&alive, &touched_after_withdrawal](const Call&) {
                if (!alive) ++touched_after_withdrawal;
              }));
        }
        Executor::shared().withdraw(&alive);
        alive = false;
      }
    });
  }
  for (std::thread& owner : owners) owner.join();
  EXPECT_EQ(touched_after_withdrawal, 0);
}

}  // namespace
}  // namespace convmat
