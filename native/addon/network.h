// Networks, as JavaScript calls them.
#pragma once

#include <napi.h>

namespace convmat::addon {

// prepareNetwork(words, arenaBytes, inputBytes, outputBytes, constants, similar | null, isAlone,
// constantsLast) → run, with run.packedBytes and run.steps. `words` is a Float64Array that network/network.h
// reads; sizes are in bytes, one for each input and output; constants are typed arrays, which nothing refers
// to afterwards, unless nobody writes to them nor hands their memory on (`constantsLast`). `similar` is
// another run function of the same constants.
//
// run(arena, inputs, outputs, times | null): lists of typed arrays, and an Uint8Array for the arena, that
// nobody else uses meanwhile. times, a Float64Array, receives nanoseconds for each step.
Napi::Value prepare_network(const Napi::CallbackInfo& call);
// prepareNetworkAsync(words, arenaBytes, inputBytes, outputBytes, constants, similar | null, isAlone, spent,
// callback) → number: calls back with what prepareNetwork returns. Nobody else may have seen words and
// constants; those whose indices are in `spent` hold zeros once they are packed, and their memory is given
// back.
Napi::Value prepare_network_async(const Napi::CallbackInfo& call);
// arenaStart(array) → number: where in an Uint8Array of arenas, which nobody has written to yet, the first
// line of the caches begins. Kernels read and write whole lines from there. Asks for huge pages.
Napi::Value arena_start(const Napi::CallbackInfo& call);
// releaseNetwork(run): frees what it holds once nothing runs with it.
void release_network(const Napi::CallbackInfo& call);
// runNetworkAsync(run, arena, inputs, outputs, callback) → number, as runAsync; the callback's result is
// `outputs`.
Napi::Value run_network_async(const Napi::CallbackInfo& call);

}  // namespace convmat::addon
