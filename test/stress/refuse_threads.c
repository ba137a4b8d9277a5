// Preloaded: refuses every thread that C++'s std::thread asks for after the first CONVMAT_THREADS_GRANTED ones. Node makes
// its own threads otherwise, and never sees it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef int (*Create)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) {
  static atomic_int asked;
  Dl_info caller;
  const char* granted = getenv("CONVMAT_THREADS_GRANTED");
  if (granted != NULL && dladdr(__builtin_return_address(0), &caller) != 0 && caller.dli_fname != NULL &&
      (strstr(caller.dli_fname, "libstdc++") != NULL || strstr(caller.dli_fname, "convmat.node") != NULL) &&
      atomic_fetch_add(&asked, 1) >= atoi(granted)) {
    return EAGAIN;
  }
  return ((Create)dlsym(RTLD_NEXT, "pthread_create"))(thread, attributes, body, argument);
}
