#include "runtime/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <new>

#include "runtime/background_thread.h"
#include "runtime/cores.h"

#if defined(__linux__)
  #include <sched.h>
  #include <unistd.h>
#endif
#if !defined(_WIN32)
  #include <pthread.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
  #include <immintrin.h>
#endif

namespace convmat {
namespace {

using Clock = std::chrono::steady_clock;

// How long a thread with nothing to do stays awake. Long enough to bridge the JavaScript between two calls of
// a network's layers, short enough not to show in a profile of an idle service.
constexpr auto kSpin = std::chrono::microseconds(150);
constexpr int kPausesPerClockRead = 32;

constexpr uint32_t kMaxCount = 1u << 30;  // chunks per ticket

void pause_briefly() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__) && !defined(_MSC_VER)
  asm volatile("yield");
#endif
}

// Spins until `condition` or for kSpin; true when it was the condition.
template <class Condition>
bool spin_until(Condition condition) {
  const auto deadline = Clock::now() + kSpin;
  do {
    for (int i = 0; i < kPausesPerClockRead; ++i) {
      if (condition()) return true;
      pause_briefly();
    }
  } while (Clock::now() < deadline);
  return condition();
}

uint32_t count_of(uint64_t ticket) { return static_cast<uint32_t>(ticket >> 32); }
uint32_t next_of(uint64_t ticket) { return static_cast<uint32_t>(ticket); }
bool exhausted(uint64_t ticket) { return next_of(ticket) >= count_of(ticket); }

thread_local bool t_serial = false;

std::atomic<ThreadPool*> g_pool{nullptr};

#if !defined(_WIN32)
// The child has a copy of the parent's pool but none of its threads: it forgets the copy, whose locks may be
// held by threads that are no longer there, and makes a new pool when it needs one.
void forget_pool() { g_pool.store(nullptr, std::memory_order_relaxed); }
[[maybe_unused]] const int g_at_fork = pthread_atfork(nullptr, nullptr, forget_pool);
#endif

#if defined(__linux__)
// Every CPU that this process may use but one; false when no other is left, or it is unknown.
bool all_cpus_but(int cpu, cpu_set_t* cpus) {
  if (cpu < 0 || sched_getaffinity(getpid(), sizeof *cpus, cpus) != 0) return false;
  CPU_CLR(cpu, cpus);
  return CPU_COUNT(cpus) > 0;
}
#endif

}  // namespace

SerialScope::SerialScope(bool serial) : before_(t_serial) { t_serial = serial || before_; }
SerialScope::~SerialScope() { t_serial = before_; }

ThreadPool::ThreadPool() : threads_(available_cores()) {}

// Never destroyed: workers sleep in it until the process ends, after static destructors have run.
ThreadPool& ThreadPool::shared() {
  ThreadPool* pool = g_pool.load(std::memory_order_acquire);
  if (pool != nullptr) return *pool;
  ThreadPool* const made = new ThreadPool();
  if (g_pool.compare_exchange_strong(pool, made, std::memory_order_acq_rel)) return *made;
  delete made;  // another thread was first; this one has started nothing yet
  return *pool;
}

// The caller may be an event loop: it does not wait for whoever has the pool now. The next to take it finds
// that its workers are not as many as they should be.
void ThreadPool::set_threads(int threads) {
  threads_.store(threads > 0 ? threads : available_cores(), std::memory_order_relaxed);
  if (taken_.exchange(true, std::memory_order_acquire)) return;
  stop_workers();
  taken_.store(false, std::memory_order_release);
}

void ThreadPool::run(int64_t chunks, Chunk chunk, void* body) {
  if (t_serial || threads() == 1 || taken_.exchange(true, std::memory_order_acquire)) {
    for (int64_t i = 0; i < chunks; ++i) chunk(body, i);
    return;
  }
  if (started_for_ != threads()) {
    stop_workers();
    start_workers();
  }
  for (int64_t first = 0; first < chunks && error_ == nullptr; first += kMaxCount) {
    run_shared(static_cast<uint32_t>(std::min<int64_t>(chunks - first, kMaxCount)), {chunk, body, first});
  }
  const std::exception_ptr error = std::move(error_);
  error_ = nullptr;
  taken_.store(false, std::memory_order_release);
  if (error != nullptr) std::rethrow_exception(error);
}

void ThreadPool::run_shared(uint32_t count, const Job& job) {
  job_ = job;
  failed_.store(false, std::memory_order_relaxed);
  finished_.store(0, std::memory_order_relaxed);
  publish(count);
  const uint32_t mine = claim_and_run();
  wait_for(count - mine);
}

void ThreadPool::publish(uint32_t count) {
#if defined(__linux__)
  caller_cpu_.store(sched_getcpu(), std::memory_order_relaxed);
#endif
  // Sequentially consistent against park(): either the worker sees the ticket, or this sees the worker
  // parked.
  ticket_.store(uint64_t{count} << 32);
  int sleepers = std::min<int>(parked_.load(), static_cast<int>(count) - 1);
  if (sleepers <= 0) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
  }  // whoever is between its last look and its sleep, sleeps now
  for (; sleepers > 0; --sleepers) work_arrived_.notify_one();
}

// Runs chunks until none is left to claim; returns how many. A claimed chunk keeps its job alive, since the
// caller waits for it, so job_ is safe to read after a successful claim.
uint32_t ThreadPool::claim_and_run() {
  uint32_t ran = 0;
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (!exhausted(ticket)) {
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel,
                                       std::memory_order_acquire))
      continue;
    if (!failed_.load(std::memory_order_relaxed)) {
      try {
        job_.chunk(job_.body, job_.first + next_of(ticket));
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (error_ == nullptr) error_ = std::current_exception();
        failed_.store(true, std::memory_order_relaxed);
      }
    }
    ++ran;
    ticket = ticket_.load(std::memory_order_acquire);
  }
  return ran;
}

// `others`: chunks that workers have claimed. One that has claimed nothing is not waited for, however late it
// wakes.
void ThreadPool::wait_for(uint32_t others) {
  const auto met = [&] { return finished_.load() == others; };
  if (spin_until(met)) return;
  std::unique_lock<std::mutex> lock(mutex_);
  caller_sleeps_.store(true);
  work_finished_.wait(lock, met);
  caller_sleeps_.store(false);
}

void ThreadPool::start_workers() {
  started_for_ = threads();
  const int wanted = started_for_ - 1;
  try {
    workers_.reserve(wanted);
  } catch (const std::bad_alloc&) {
    return;
  }
  while (static_cast<int>(workers_.size()) < wanted) {
    std::thread thread;
    if (!start_background_thread(&thread, [this] { work(); })) return;
#if defined(__linux__)
    // A thread starts on its creator's CPU and would wait there for milliseconds until the creator, which is
    // about to compute, is moved.
    cpu_set_t others;
    if (all_cpus_but(sched_getcpu(), &others))
      pthread_setaffinity_np(thread.native_handle(), sizeof others, &others);
#endif
    workers_.push_back(std::move(thread));
  }
}

void ThreadPool::stop_workers() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_.store(true);
  }
  work_arrived_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  stopping_.store(false);
  started_for_ = 0;
}

void ThreadPool::work() {
  while (!stopping_.load(std::memory_order_relaxed)) {
    if (!spin_until([&] { return !idle(); })) {
      park();
      continue;
    }
    keep_off_the_callers_cpu();
    const uint32_t ran = claim_and_run();
    if (ran == 0) continue;
    finished_.fetch_add(ran);
    if (caller_sleeps_.load()) {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
      }  // the caller is either before its last look or asleep
      work_finished_.notify_one();
    }
  }
}

bool ThreadPool::idle() const {
  return exhausted(ticket_.load(std::memory_order_acquire)) && !stopping_.load(std::memory_order_relaxed);
}

void ThreadPool::park() {
  std::unique_lock<std::mutex> lock(mutex_);
  parked_.fetch_add(1);
  work_arrived_.wait(lock, [&] { return !exhausted(ticket_.load()) || stopping_.load(); });
  parked_.fetch_sub(1);
}

// The scheduler likes to wake a worker on the CPU that woke it, where it would have to wait for the very
// caller that waits for it: measured twice the time for a whole run. So a worker that finds itself there
// leaves that CPU to the caller until it meets the caller elsewhere.
void ThreadPool::keep_off_the_callers_cpu() {
#if defined(__linux__)
  const int callers = caller_cpu_.load(std::memory_order_relaxed);
  cpu_set_t others;
  if (sched_getcpu() == callers && all_cpus_but(callers, &others))
    sched_setaffinity(0, sizeof others, &others);
#endif
}

}  // namespace convmat
