/*
 * What Debian's libstdc++ asks of glibc and musl does not have. Bun's build for musl wants a libstdc++ that is not on the
 * npm registry; with these few functions it runs on Debian's, under musl's loader. For tests alone.
 */
#define _GNU_SOURCE
#include <locale.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

char __libc_single_threaded = 0;

/* Defined by libgcc under old versions only, and musl knows no versions. All zeros: nothing is detected. */
unsigned int __cpu_model[4];
int __cpu_indicator_init(void) { return 0; }

/* Callers then search the program headers themselves. */
int _dl_find_object(void* address, void* result) {
  (void)address, (void)result;
  return -1;
}

size_t __strftime_l(char* out, size_t size, const char* format, const struct tm* time, locale_t locale) {
  return strftime_l(out, size, format, time, locale);
}

uint32_t arc4random(void) {
  uint32_t value = 0;
  getrandom(&value, sizeof value, 0);
  return value;
}

/* Destructors of thread-local objects: run in reverse when their thread ends. */
struct Destructor {
  void (*run)(void*);
  void* object;
  struct Destructor* next;
};
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void run_all(void* first) {
  for (struct Destructor* one = first; one != NULL;) {
    struct Destructor* next = one->next;
    one->run(one->object);
    free(one);
    one = next;
  }
}

static void make_key(void) { pthread_key_create(&key, run_all); }

int __cxa_thread_atexit_impl(void (*run)(void*), void* object, void* library) {
  (void)library;
  pthread_once(&once, make_key);
  struct Destructor* one = malloc(sizeof *one);
  if (one == NULL) return -1;
  *one = (struct Destructor){run, object, pthread_getspecific(key)};
  return pthread_setspecific(key, one);
}
