// Pixels and planes, as JavaScript calls for them.
#pragma once

#include "addon/door.h"

namespace convmat::addon {

// fromPixels(channels, alpha | -1, largest, planes' numbers, pixels, planes): five numbers for each plane,
// its channel or -1 for luma, whether it is premultiplied, scale, mean and the inverse of the deviation.
void from_pixels(const Napi::CallbackInfo& call);
// toPixels(channels, alpha | -1, largest, scale, offset, planes, pixels)
void to_pixels(const Napi::CallbackInfo& call);
// The same with a callback, which gets what is written; as runAsync.
Napi::Value from_pixels_async(const Napi::CallbackInfo& call);
Napi::Value to_pixels_async(const Napi::CallbackInfo& call);

}  // namespace convmat::addon
