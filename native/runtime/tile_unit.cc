#include "runtime/tile_unit.h"

#if defined(__linux__) && defined(__x86_64__)
  #include <sys/syscall.h>
  #include <unistd.h>
#endif

namespace convmat {

bool tiles_permitted() {
#if defined(__linux__) && defined(__x86_64__)
  static const bool permitted = [] {
    constexpr long ask = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM of Linux 5.16, and XCR0's bit
    return syscall(SYS_arch_prctl, ask, tile_data) == 0;
  }();
  return permitted;
#else
  return false;
#endif
}

}  // namespace convmat
