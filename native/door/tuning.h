// Sizes of the loops of a kernel table, by which the model of time in lib/plan/model goes.
#pragma once

#include <vector>

#include "table/table.h"

namespace convmat::door {

struct TuningEntry {
  const char* group;  // empty where the entry stands for itself
  const char* name;
  double value;
};
// Entries of a group stand together.
std::vector<TuningEntry> tuning_of(const KernelTable& kernels);

}  // namespace convmat::door
