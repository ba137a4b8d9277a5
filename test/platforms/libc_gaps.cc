// What scripts/prebuild/either_libc.cc stands in for, in a library that is linked and finished as the addon
// is. It answers by a name that exports.map lets out, with the number of its failures.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>
#include <thread>

#define PUBLIC extern "C" __attribute__((visibility("default")))

namespace {

int destroyed = 0;
int failures = 0;

struct CountsItsEnd {
  int weight = 1;
  ~CountsItsEnd() { destroyed += weight; }
};
thread_local CountsItsEnd first, second;

bool is_child = false;
void note_child() { is_child = true; }
const int registered = pthread_atfork(nullptr, nullptr, note_child);

void expect(bool holds, const char* what) {
  if (holds) return;
  ++failures;
  std::printf("failed: %s\n", what);
}

}  // namespace

PUBLIC int napi_register_module_v1() {
  std::thread thread([] {
    first.weight = 2;
    second.weight = 3;
  });
  thread.join();
  expect(destroyed == 5, "what a thread has is destroyed at its end");

  expect(registered == 0, "a function for after fork is registered");
  const pid_t child = fork();
  if (child == 0) _exit(is_child ? 7 : 0);
  int status = 0;
  waitpid(child, &status, 0);
  expect(WEXITSTATUS(status) == 7, "and runs in the child");

  const std::string text = std::system_category().message(ENOMEM);
  expect(text == std::strerror(ENOMEM), "the text of an error is the system's");
  try {
    throw std::system_error(EAGAIN, std::system_category());
  } catch (const std::exception& error) {
    expect(std::strstr(error.what(), std::strerror(EAGAIN)) != nullptr,
           "an exception is caught, and says why");
  }
  return failures;
}

PUBLIC int node_api_module_get_api_version_v1() { return 8; }
