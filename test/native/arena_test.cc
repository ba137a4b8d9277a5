#include "runtime/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <thread>

namespace convmat {
namespace {

bool aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 64 == 0; }

TEST(Arena, GivesAlignedDisjointMemoryAndTakesItBack) {
  float* first;
  {
    ArenaFrame frame;
    first = frame.take<float>(3);
    double* const second = frame.take<double>(5);
    EXPECT_TRUE(aligned(first) && aligned(second));
    EXPECT_EQ(reinterpret_cast<char*>(second) - reinterpret_cast<char*>(first), 64);
  }
  ArenaFrame frame;
  EXPECT_EQ(frame.take<float>(1), first);
}

TEST(Arena, FramesNest) {
  ArenaFrame outer;
  char* const kept = outer.take<char>(100);
  std::memset(kept, 7, 100);
  for (int i = 0; i < 3; ++i) {
    ArenaFrame inner;
    std::memset(inner.take<char>(1000), i, 1000);
  }
  for (int i = 0; i < 100; ++i) ASSERT_EQ(kept[i], 7);
}

TEST(Arena, TakesMoreThanItsBudgetFromTheHeap) {
  std::thread([] {  // a fresh arena
    {
      ArenaFrame frame;
      char* const within = frame.take<char>(kArenaBytes);
      char* const beyond = frame.take<char>(kArenaBytes + 1);
      EXPECT_TRUE(aligned(within) && aligned(beyond));
      std::memset(within, 1, kArenaBytes);
      std::memset(beyond, 2, kArenaBytes + 1);
      EXPECT_EQ(within[kArenaBytes - 1], 1);
      EXPECT_GE(arena_peak_bytes(), 2 * kArenaBytes + 1);
    }
    ArenaFrame frame;
    EXPECT_NE(frame.take<char>(kArenaBytes), nullptr);  // all of it is free again
  })
      .join();
}

TEST(Arena, RefusesCountsThatNoMemoryHolds) {
  ArenaFrame frame;
  EXPECT_THROW(frame.take<double>(-1), std::bad_alloc);
  EXPECT_THROW(frame.take<double>(std::numeric_limits<int64_t>::max()), std::bad_alloc);
}

TEST(Arena, ThreadsHaveTheirOwn) {
  ArenaFrame frame;
  char* const mine = frame.take<char>(64);
  std::thread([mine] {
    ArenaFrame other;
    EXPECT_NE(other.take<char>(64), mine);
  }).join();
}

}  // namespace
}  // namespace convmat
