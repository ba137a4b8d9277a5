#include "runtime/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <thread>

#include "runtime/spare_block.h"

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

constexpr size_t kMegabyte = size_t{1} << 20;

TEST(SpareBlock, IsKeptForTheNextOfAboutItsSize) {
  char* kept;
  {
    const SpareBlock first(8 * kMegabyte);
    kept = first.data();
    const SpareBlock second(8 * kMegabyte);
    EXPECT_NE(second.data(), kept);
    std::memset(first.data(), 1, 8 * kMegabyte);
  }
  const SpareBlock next(7 * kMegabyte), other(8 * kMegabyte);
  EXPECT_TRUE(next.data() == kept || other.data() == kept);
  EXPECT_NE(next.data(), other.data());
  const SpareBlock small(kMegabyte);  // which none of the others is lent for
  EXPECT_NE(small.data(), kept);
}

TEST(SpareBlock, MakesRoomForTheNewest) {
  for (size_t size = 1; size <= 40; size += 3) {
    const SpareBlock block(size * kMegabyte);
    std::memset(block.data(), static_cast<int>(size), size * kMegabyte);
  }
  char* last;
  {
    const SpareBlock block(30 * kMegabyte);
    last = block.data();
  }
  EXPECT_EQ(SpareBlock(30 * kMegabyte).data(), last);
}

}  // namespace
}  // namespace convmat
