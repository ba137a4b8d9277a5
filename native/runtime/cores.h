// How many cores this process may use.
#pragma once

namespace convmat {

// Physical cores among the CPUs that this process is allowed to run on (two hyper-threads share the vector
// units that the kernels saturate, so they count as one), no more than its cgroup's quota; at least 1.
int available_cores();

}  // namespace convmat
