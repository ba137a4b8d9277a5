// Which forward plans an algorithm serves, where it is not all: what is re-checked of a choice made in
// TypeScript.
#pragma once

#include "plan/plan.h"

namespace convmat {

// Whether an fft plan's variant is the size of tiles that exist, and lines or bundles serve its kernel.
bool is_fft_plan(const ConvPlan& plan);
// Whether tiles are of more points than a core's caches hold: rows << 16 | columns.
bool is_large_fft(int32_t variant);
// Whether a plan has a kernel that Winograd's tiles are for, and its variant is one of them.
bool is_winograd_plan(const ConvPlan& plan);
// Whether a depthwise plan has the geometry that its kernels are for.
bool is_depthwise_plan(const ConvPlan& plan);
// Whether a depthwise plan of two passes has the geometry for them.
bool is_separable_plan(const ConvPlan& plan);

}  // namespace convmat
