// Pixels and planes off the event loop, as JavaScript calls for them.
#pragma once

#include "addon/door.h"

namespace convmat::addon {

// door/pixels.h off the event loop: the same with a callback, which gets what is written; as runAsync.
Napi::Value from_pixels_async(const Napi::CallbackInfo& call);
Napi::Value to_pixels_async(const Napi::CallbackInfo& call);

// convolvePixelsAsync(run, channels, alpha | -1, largest, planes' numbers, channels, alpha | -1, largest,
// scale, offset, pixels, result, callback): pixels to planes, those by a prepared convolution, and to pixels
// again.
Napi::Value convolve_pixels_async(const Napi::CallbackInfo& call);

}  // namespace convmat::addon
