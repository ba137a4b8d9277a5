#include "runtime/executor.h"

#include <algorithm>
#include <new>
#include <utility>

#include "runtime/background_thread.h"
#include "runtime/thread_pool.h"

#if !defined(_WIN32)
  #include <pthread.h>
#endif

namespace convmat {
namespace {

std::atomic<Executor*> g_executor{nullptr};

#if !defined(_WIN32)
// The child's copy has tasks of the parent and no threads; see thread_pool.cc.
void forget_executor() { g_executor.store(nullptr, std::memory_order_relaxed); }
[[maybe_unused]] const int g_at_fork = pthread_atfork(nullptr, nullptr, forget_executor);
#endif

}  // namespace

// Never destroyed: its threads sleep in it until the process ends.
Executor& Executor::shared() {
  Executor* executor = g_executor.load(std::memory_order_acquire);
  if (executor != nullptr) return *executor;
  Executor* const made = new Executor();
  if (g_executor.compare_exchange_strong(executor, made, std::memory_order_acq_rel)) return *made;
  delete made;  // another thread was first
  return *executor;
}

bool Executor::submit(std::shared_ptr<Task> task) {
  const std::lock_guard<std::mutex> lock(mutex_);
  size_t limit;
  try {
    limit = ThreadPool::shared().threads();
    // Room first: nothing may fail once the task is in the queue, nor on the threads.
    threads_.reserve(threads_.size() + 1);
    running_.reserve(threads_.size() + 1);
    queue_.push_back(std::move(task));
  } catch (const std::bad_alloc&) {
    return false;
  }
  if (threads_.size() < std::min(limit, running_.size() + queue_.size())) {
    std::thread thread;
    if (start_background_thread(&thread, [this] { work(); })) {
      threads_.push_back(std::move(thread));
    } else if (threads_.empty()) {
      queue_.pop_back();
      return false;
    }
  }
  queue_changed_.notify_one();
  return true;
}

void Executor::withdraw(const void* owner) {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto owned = [owner](const auto& task) { return task->owner() == owner; };
  queue_.erase(std::remove_if(queue_.begin(), queue_.end(), owned), queue_.end());
  for (Task* task : running_) {
    if (owned(task)) task->cancel();
  }
  task_left_.wait(lock, [&] { return std::none_of(running_.begin(), running_.end(), owned); });
}

bool Executor::may_start() const {
  return !queue_.empty() && running_.size() < static_cast<size_t>(ThreadPool::shared().threads());
}

void Executor::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    queue_changed_.wait(lock, [this] { return may_start(); });
    const std::shared_ptr<Task> task = std::move(queue_.front());
    queue_.pop_front();
    running_.push_back(task.get());
    const bool among_several = running_.size() > 1 || !queue_.empty();
    lock.unlock();
    {
      const SerialScope scope(among_several);
      task->run();
    }
    lock.lock();
    running_.erase(std::find(running_.begin(), running_.end(), task.get()));
    task_left_.notify_all();
    queue_changed_.notify_one();
  }
}

}  // namespace convmat
