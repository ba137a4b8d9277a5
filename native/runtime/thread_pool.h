// The library's worker threads: one pool per process, made when it is first needed.
//
// Work is a number of chunks, which may follow that of the threads; which thread runs a chunk, and when,
// differs from run to run. Results depend on neither, provided that every output is computed in one chunk, in
// an order that is the same wherever the chunk's bounds are.
#pragma once

#include <cstdint>

#include "runtime/threads.h"

#if CONVMAT_HAS_THREADS
  #include <atomic>
  #include <condition_variable>
  #include <exception>
  #include <memory>
  #include <thread>
  #include <type_traits>
  #include <vector>
#endif

namespace convmat {

// Work that takes one core less than this is not shared out: handing it to a spinning worker and meeting
// again costs 0.3 us and a cold cache, waking a sleeping one 20-40 us. Measured on two cores of Zen 4: 76 %
// efficiency at 66 us.
constexpr double kParallelWorthNs = 60e3;

#if CONVMAT_HAS_THREADS

class ThreadPool {
 public:
  // Runs chunk `index` of the work that `body` points to.
  using Chunk = void (*)(void* body, int64_t index);

  // A forked child, which inherits no threads, gets a new pool.
  static ThreadPool& shared();

  // How many threads work on a call, its caller included. 0 asks for available_cores(), the default.
  int threads() const { return threads_.load(std::memory_order_relaxed); }
  void set_threads(int threads);

  // Returns when every chunk has run; throws what a chunk threw, after skipping those not yet begun. The
  // caller takes part. It runs everything itself when another call has the pool, so nested and concurrent
  // calls are safe.
  void run(int64_t chunks, Chunk chunk, void* body);

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

 private:
  struct Job {
    Chunk chunk;
    void* body;
    int64_t first;  // index of the chunk that ticket number 0 stands for
  };

  ThreadPool();
  ~ThreadPool() = default;
  void run_shared(uint32_t count, const Job& job);
  void publish(uint32_t count);
  uint32_t claim_and_run();
  void wait_for(uint32_t others);
  void start_workers();
  void stop_workers();
  void work();
  bool idle() const;
  void park();
  void keep_off_the_callers_cpu();

  std::atomic<int> threads_;
  std::atomic<bool> taken_{false};  // by the call that may write what follows
  int started_for_ = 0;  // how many threads there were to be when the workers were started; 0 for none
  std::vector<std::thread> workers_;
  Job job_{};
  std::exception_ptr error_;  // the first one, guarded by mutex_

  // How many chunks there are (upper half) and the next to claim (lower half), in one word, so that a claim
  // by compare-and-swap is right whatever a late worker believed: it succeeds only on the current job's
  // unclaimed chunk.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  alignas(64) std::atomic<uint32_t> finished_{0};
  alignas(64) std::atomic<bool> failed_{false};
  std::atomic<bool> caller_sleeps_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<int> parked_{0};
  std::atomic<int> caller_cpu_{-1};

  std::mutex mutex_;
  std::condition_variable work_arrived_;
  std::condition_variable work_finished_;
};

// While one of these exists, its thread runs parallel_for alone: for threads that are themselves a share of
// the work.
class SerialScope {
 public:
  explicit SerialScope(bool serial);
  ~SerialScope();
  SerialScope(const SerialScope&) = delete;
  SerialScope& operator=(const SerialScope&) = delete;

 private:
  bool before_;
};

#else

// The caller alone.
class ThreadPool {
 public:
  static ThreadPool shared() { return {}; }
  static constexpr int threads() { return 1; }
};

#endif

// body(i) for each i in [0, chunks), in any order and on any threads. `cost_ns` estimates the whole on one
// core.
template <class Body>
void parallel_for(int64_t chunks, double cost_ns, Body&& body) {
#if !CONVMAT_HAS_THREADS
  static_cast<void>(cost_ns);
  for (int64_t i = 0; i < chunks; ++i) body(i);
#else
  if (chunks < 2 || cost_ns < kParallelWorthNs) {
    for (int64_t i = 0; i < chunks; ++i) body(i);
    return;
  }
  using Plain = std::remove_reference_t<Body>;
  ThreadPool::shared().run(
      chunks, [](void* self, int64_t i) { (*static_cast<Plain*>(self))(i); },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
#endif
}

}  // namespace convmat
