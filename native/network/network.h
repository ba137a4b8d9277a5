// A network that is ready to run: its steps, in order. Immutable, so that any number of threads may run it at
// once, each with an arena of its own.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "network/step.h"

namespace convmat {

// The enumerations that words hold, for the comparison with JavaScript's lists.
extern const std::vector<Enumeration> kNetworkEnumerations;

class Network {
 public:
  // Reads the steps; throws Refusal for what cannot be run safely. `similar` is a network of the same
  // constants, whose packed weights are shared where they are packed alike; they are not kept longer. Where
  // `cancelled`, which may be null, is seen between two steps, words are left over and it cannot run.
  Network(const KernelTable& kernels, Words& words, Store store, const Network* similar,
          const std::atomic<bool>* cancelled = nullptr);

  // Runs every step, or those before `context.cancelled` is seen. `times`, when given, receives nanoseconds
  // for each step.
  void run(const Context& context, const Memory& memory, double* times = nullptr) const;

  const Store& store() const { return store_; }
  const std::vector<std::unique_ptr<Step>>& steps() const { return steps_; }
  const PackedWeights& packed() const { return packed_; }
  // Memory that it holds beside its caller's arrays.
  size_t bytes() const;

 private:
  Store store_;
  PackedWeights packed_;
  std::vector<std::unique_ptr<Step>> steps_;
};

}  // namespace convmat
