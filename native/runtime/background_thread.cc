#include "runtime/background_thread.h"

#include <new>
#include <system_error>
#include <utility>

#if !defined(_WIN32)
  #include <pthread.h>
  #include <signal.h>
#endif

namespace convmat {
namespace {

void name_this_thread() {
#if defined(__linux__)
  pthread_setname_np(pthread_self(), "convmat");
#elif defined(__APPLE__)
  pthread_setname_np("convmat");
#endif
}

// Blocks every signal for its lifetime: a thread starts with the mask of its creator.
class SignalsBlocked {
 public:
#if defined(_WIN32)
  SignalsBlocked() {}
#else
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
#endif
};

}  // namespace

bool start_background_thread(std::thread* thread, std::function<void()> body) {
  const SignalsBlocked guard;
  try {
    *thread = std::thread([body = std::move(body)] {
      name_this_thread();
      body();
    });
    return true;
  } catch (const std::system_error&) {
    return false;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace convmat
