// Threads of the library: named, and deaf to signals, which belong to the host program's own threads.
#pragma once

#include <functional>
#include <thread>

namespace convmat {

// Starts `body` on a new thread into `*thread`. False when the system refuses one: callers do with fewer.
bool start_background_thread(std::thread* thread, std::function<void()> body);

}  // namespace convmat
