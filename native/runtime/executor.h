// Tasks that leave the thread which asks for them, so that an event loop stays free: the library's own
// threads, one set per process, never those that the host uses for files and names.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace convmat {

class Task {
 public:
  // `owner` groups tasks that end together; it is compared, never followed.
  explicit Task(const void* owner) : owner_(owner) {}
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  // On a thread of the executor, once; must not throw. It looks at cancelled() when it starts and wherever it
  // can stop.
  virtual void run() = 0;

  const void* owner() const { return owner_; }
  const std::atomic<bool>& cancelled() const { return cancelled_; }
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }

 private:
  const void* const owner_;
  std::atomic<bool> cancelled_{false};
};

// Tasks start in the order in which they were submitted. As many run at a time as ThreadPool::threads(); a
// task that runs alone shares its work with the pool, one among several keeps to its own thread.
class Executor {
 public:
  // A forked child gets a new one.
  static Executor& shared();

  // False when the system grants not a single thread, or no memory: then the caller has to run it.
  bool submit(std::shared_ptr<Task> task);

  // Forgets the owner's tasks that have not started, cancels the others and returns when none of them runs.
  void withdraw(const void* owner);

  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

 private:
  Executor() = default;
  ~Executor() = default;
  void work();
  bool may_start() const;

  std::mutex mutex_;
  std::condition_variable queue_changed_;
  std::condition_variable task_left_;
  std::deque<std::shared_ptr<Task>> queue_;
  std::vector<Task*> running_;
  std::vector<std::thread> threads_;
};

}  // namespace convmat
