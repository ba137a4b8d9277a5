// What a network is made of and what a run of one is called with.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "door/call.h"
#include "network/network.h"

namespace convmat::door {

// prepareNetwork's arguments: words, arenaBytes, inputBytes, outputBytes, constants. `words` is a
// Float64Array that network/network.h reads; sizes are in bytes, one for each input and output; constants are
// typed arrays, which nothing refers to afterwards. `similar` is a network of the same constants, or null.
std::shared_ptr<const Network> read_network(const Call& call, const Network* similar,
                                            bool constants_last = false);

// The same arguments, read on JavaScript's thread for another that makes the network.
struct NetworkParts {
  Words words;  // over the array that came
  Store store;

  // Throws Refusal for steps that cannot be run safely. Null when `cancelled`, which may be null, is seen.
  std::shared_ptr<const Network> make(const KernelTable& kernels, const Network* similar,
                                      const std::atomic<bool>* cancelled) &&;
};
// `constants_last` as network/operand.h has it.
NetworkParts read_network_parts(const Call& call, bool constants_last);

// A list of indices of constants that nobody reads once they are packed.
void read_spent(const Value& list, Store* store);

// What a run is called with.
struct RunOperands {
  std::byte* arena;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;

  Memory memory() const { return {arena, inputs.data(), outputs.data()}; }
};
// Lists of typed arrays, and an Uint8Array for the arena.
RunOperands read_run(const Store& store, const Value& arena, const Value& inputs, const Value& outputs);

}  // namespace convmat::door
