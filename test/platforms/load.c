/* Loads a library as Node.js loads an addon, and ends with what it answers. */
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char** arguments) {
  void* library = count == 2 ? dlopen(arguments[1], RTLD_LAZY) : NULL;
  if (library == NULL) {
    puts(dlerror());
    return 1;
  }
  int (*start)(void) = (int (*)(void))dlsym(library, "napi_register_module_v1");
  return start();
}
