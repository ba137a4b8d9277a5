// Linux only: what glibc and musl do not have in common, so that one binary runs on both. The binary is
// linked with glibc's libraries; musl's loader takes their names for its own, and looks at no versions of
// symbols. What is defined here is taken before what the libraries have, and is seen by nobody outside.
#include <dlfcn.h>
#include <pthread.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

using Function = void (*)();
using Destructor = void (*)(void*);

extern "C" {
extern void* __dso_handle;

// Of glibc alone.
__attribute__((weak)) int __register_atfork(Function prepare, Function parent, Function child, void* library);
__attribute__((weak)) int __cxa_thread_atexit_impl(Destructor run, void* object, void* library);

// Of both.
int __xpg_strerror_r(int error, char* text, std::size_t size);
}

namespace {

// A chain of what a thread has to destroy, the last one first, kept by a key whose destructor runs it.
struct Destruction {
  Destructor run;
  void* object;
  Destruction* next;
};

pthread_key_t destructions;
pthread_once_t once = PTHREAD_ONCE_INIT;

void run_all(void* first) {
  for (auto* one = static_cast<Destruction*>(first); one != nullptr;) {
    Destruction* next = one->next;
    one->run(one->object);
    std::free(one);
    one = next;
  }
}

void make_key() { pthread_key_create(&destructions, run_all); }

}  // namespace

extern "C" {

// glibc has a part of it in the program, and that part asks for a function that musl has not.
int pthread_atfork(Function prepare, Function parent, Function child) noexcept {
  if (__register_atfork != nullptr) return __register_atfork(prepare, parent, child, &__dso_handle);
  using Registration = int (*)(Function, Function, Function);
  const auto musls = reinterpret_cast<Registration>(dlsym(RTLD_DEFAULT, "pthread_atfork"));
  return musls == nullptr ? -1 : musls(prepare, parent, child);
}

// The C++ library expects glibc's, which returns the text; musl's returns a number.
char* strerror_r(int error, char* text, std::size_t size) noexcept {
  if (__xpg_strerror_r(error, text, size) != 0) std::snprintf(text, size, "error %d", error);
  return text;
}

int __cxa_thread_atexit(Destructor run, void* object, void* library) {
  if (__cxa_thread_atexit_impl != nullptr) return __cxa_thread_atexit_impl(run, object, library);
  pthread_once(&once, make_key);
  auto* one = static_cast<Destruction*>(std::malloc(sizeof(Destruction)));
  if (one == nullptr) return -1;
  *one = {run, object, static_cast<Destruction*>(pthread_getspecific(destructions))};
  return pthread_setspecific(destructions, one);
}
}
