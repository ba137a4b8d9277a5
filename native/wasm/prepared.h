// What is prepared once and run many times. JavaScript holds each by its address, a number, which only
// lib/backend/wasm sees: it lets go of one once.
#pragma once

#include "door/call.h"

namespace convmat::wasm_host {

using door::Call;

// prepare(plan, weight, bias | null, lo, hi, similar | null) → conv. `similar` is another with the same
// weight, bias and bounds, whose packed weights are shared when they are packed alike.
double prepare(const Call& call);
// run(conv, input, output)
void run(const Call& call);
// packedBytes(conv)
double packed_bytes(const Call& call);
// release(conv)
void release(const Call& call);

// prepareInteger(plan, weight, weightZeroPoints, bias | null, multipliers | null) → conv, and the same of it.
double prepare_integer(const Call& call);
void run_integer(const Call& call);
double packed_bytes_of_integer(const Call& call);
void release_integer(const Call& call);

// prepareNetwork(words, arenaBytes, inputBytes, outputBytes, constants, similar | null) → network
double prepare_network(const Call& call);
// runNetwork(network, arena, inputs, outputs, times | null)
void run_network(const Call& call);
double packed_bytes_of_network(const Call& call);
double steps_of_network(const Call& call);
void release_network(const Call& call);

}  // namespace convmat::wasm_host
