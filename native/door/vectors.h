// Arithmetic of vectors, for solvers.
#pragma once

#include "door/call.h"

namespace convmat::door {

double vector_combine(const Call& call);
double vector_dot(const Call& call);

}  // namespace convmat::door
