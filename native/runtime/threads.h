// Whether there are threads. WebAssembly has none here: a page would have to be isolated from others to share
// memory among them. Everything then runs on its caller, and locks are nothing. CONVMAT_PER_THREAD is what a
// variable of each thread is declared with.
#pragma once

#if defined(__wasm__)
  #define CONVMAT_HAS_THREADS 0
  #define CONVMAT_PER_THREAD static
#else
  #define CONVMAT_HAS_THREADS 1
  #define CONVMAT_PER_THREAD thread_local
  #include <mutex>
#endif

namespace convmat {

#if CONVMAT_HAS_THREADS
using Mutex = std::mutex;
using Lock = std::lock_guard<std::mutex>;
#else
struct Mutex {};
struct Lock {
  explicit Lock(Mutex&) {}
  ~Lock() {}
};
#endif

}  // namespace convmat
