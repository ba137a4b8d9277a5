// Which instruction sets this process may use, and the kernel table of each.
#pragma once

#include <string_view>
#include <vector>

#include "table/table.h"

namespace convmat {

// Tables that this CPU and operating system can run, the fastest first: of those in lists/isas.json. The last
// needs nothing that a machine may lack.
const std::vector<const KernelTable*>& available_kernels();

// The fastest one.
const KernelTable& best_kernels();

// By name, as CONVMAT_ISA of the environment has it; null when this build or this machine lacks it.
const KernelTable* find_kernels(std::string_view name);

// What was found, in the usual spelling ("avx2", "fma", ...): for reports to people.
const std::vector<const char*>& cpu_feature_names();

}  // namespace convmat
