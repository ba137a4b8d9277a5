#include "addon/network.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "addon/async.h"
#include "addon/environment.h"
#include "addon/prepared.h"
#include "door/network.h"
#include "runtime/aligned.h"
#include "runtime/pages.h"

namespace convmat::addon {
namespace {

constexpr napi_type_tag kNetworkTag = {0x3f6a1c8e57d24b90, 0xa85e0d73c1924f6b};

// Constants that a network reads in place, and those of the network that lent it weights.
using KeptArrays = std::vector<Napi::Value>;

class PreparedNetwork {
 public:
  PreparedNetwork(Napi::Env env, const KernelTable& kernels, std::shared_ptr<const Network> network,
                  const KeptArrays& kept)
      : kernels_(&kernels),
        network_(std::move(network)),
        reported_(std::make_unique<ReportedMemory>(env, network_->bytes())) {
    for (const Napi::Value& array : kept) kept_.push_back(Napi::Persistent(array.As<Napi::Object>()));
  }

  static PreparedNetwork& unwrap(const Napi::Value& run) {
    auto* const prepared = find_prepared<PreparedNetwork>(run, kNetworkTag);
    if (prepared == nullptr) throw Refusal("prepared: expected a prepared network");
    if (prepared->network_ == nullptr) throw Refusal("prepared: expected a network that is not released");
    return *prepared;
  }

  const KernelTable& kernels() const { return *kernels_; }
  const std::shared_ptr<const Network>& network() const { return network_; }
  // Whoever holds these may run the network after it has been released.
  KeptArrays kept() const {
    KeptArrays arrays;
    for (const Napi::ObjectReference& array : kept_) arrays.push_back(array.Value());
    return arrays;
  }
  void release() {
    network_.reset();
    reported_.reset();
    kept_.clear();
  }

 private:
  const KernelTable* const kernels_;
  std::shared_ptr<const Network> network_;  // null when released
  std::unique_ptr<ReportedMemory> reported_;
  std::vector<Napi::ObjectReference> kept_;
};

// run(arena, inputs, outputs, times | null)
void run_network(const Napi::CallbackInfo& call) {
  const auto& prepared = *static_cast<const PreparedNetwork*>(call.Data());
  if (prepared.network() == nullptr) throw Refusal("prepared: expected a network that is not released");
  // Held, since a getter of an operand may release it.
  const std::shared_ptr<const Network> network = prepared.network();
  const KeptArrays kept = prepared.kept();
  const RunOperands run = read_run(network->store(), call[0], call[1], call[2]);
  double* times = nullptr;
  if (!is_nullish(call[3])) {
    times = static_cast<double*>(
        read_elements(call[3], DType::f64, static_cast<int64_t>(network->steps().size()), "times"));
  }
  network->run(Context{&prepared.kernels()}, run.memory(), times);
}

class NetworkCall final : public AsyncCall {
 public:
  NetworkCall(AsyncCalls* owner, const PreparedNetwork& prepared, RunOperands run,
              const Napi::CallbackInfo& call)
      : AsyncCall(owner, call[4]),
        kernels_(&prepared.kernels()),
        network_(prepared.network()),
        run_(std::move(run)) {
    keep(call[3]);
    keep(call[1]);
    // Lists may change; what they held must last.
    for (size_t list : {size_t{2}, size_t{3}}) {
      const auto arrays = call[list].As<Napi::Array>();
      for (uint32_t i = 0; i < arrays.Length(); ++i) keep(arrays[i]);
    }
    for (const Napi::Value& array : prepared.kept()) keep(array);
  }

 private:
  void work() override { network_->run(Context{kernels_, &cancelled()}, run_.memory()); }
  Napi::Value take_result(Napi::Env) override { return kept(0).Value(); }

  const KernelTable* const kernels_;
  const std::shared_ptr<const Network> network_;
  const RunOperands run_;
};

// `kept`: of the network that lent weights; those of its own are among the constants.
Napi::Value run_of(Napi::Env env, const KernelTable& kernels, std::shared_ptr<const Network> network,
                   KeptArrays kept, const KeptArrays& constants) {
  const Store& store = network->store();
  for (const int64_t index : store.kept_constants()) kept.push_back(constants[static_cast<size_t>(index)]);
  const size_t bytes = network->bytes() + store.kept_constant_bytes();
  const auto steps = static_cast<double>(network->steps().size());
  auto run = bind_function(env, kNetworkTag, entry<run_network>,
                           std::make_unique<PreparedNetwork>(env, kernels, std::move(network), kept), bytes);
  run.Set("steps", steps);
  return run;
}

// The network that may lend weights, and the arrays that these lie in.
struct Lender {
  explicit Lender(const Napi::Value& run) {
    if (is_nullish(run)) return;
    const PreparedNetwork& prepared = PreparedNetwork::unwrap(run);
    network = prepared.network();
    kept = prepared.kept();
  }

  std::shared_ptr<const Network> network;  // null when there is none
  KeptArrays kept;
};

KeptArrays items_of(const Napi::Value& list) {
  const auto array = list.As<Napi::Array>();
  KeptArrays items;
  for (uint32_t i = 0; i < array.Length(); ++i) items.push_back(array[i]);
  return items;
}

// The packing of a network's weights.
class NetworkPackCall final : public AsyncCall {
 public:
  NetworkPackCall(AsyncCalls* owner, const Napi::CallbackInfo& call)
      : AsyncCall(owner, call[8]), kernels_(&kernels_of(call)), parts_(read_network_parts(call, true)) {
    read_spent(call[7], &parts_.store);
    const Lender lender(call[5]);
    similar_ = lender.network;
    keep(call[0]);
    const KeptArrays constants = items_of(call[4]);
    constants_ = constants.size();
    for (const Napi::Value& array : constants) keep(array);
    for (const Napi::Value& array : lender.kept) keep(array);
    lent_ = lender.kept.size();
  }

 private:
  void work() override { network_ = std::move(parts_).make(*kernels_, similar_.get(), &cancelled()); }
  Napi::Value take_result(Napi::Env env) override {
    similar_.reset();
    return run_of(env, *kernels_, std::move(network_), arrays(1 + constants_, lent_), arrays(1, constants_));
  }
  KeptArrays arrays(size_t first, size_t count) const {
    KeptArrays values;
    for (size_t i = 0; i < count; ++i) values.push_back(kept(first + i).Value());
    return values;
  }

  const KernelTable* const kernels_;
  std::shared_ptr<const Network> similar_;
  NetworkParts parts_;
  size_t constants_ = 0, lent_ = 0;
  std::shared_ptr<const Network> network_;
};

}  // namespace

Napi::Value prepare_network(const Napi::CallbackInfo& call) {
  // Held, since a getter of an operand may release it.
  const Lender lender(call[5]);
  const bool constants_last = !is_nullish(call[7]) && read_boolean(call[7]);
  auto network = read_network(call, lender.network.get(), constants_last);
  return run_of(call.Env(), kernels_of(call), std::move(network), lender.kept, items_of(call[4]));
}

Napi::Value prepare_network_async(const Napi::CallbackInfo& call) {
  AsyncCalls& calls = Environment::of(call.Env()).async_calls();
  return Napi::Number::New(call.Env(), calls.start(std::make_shared<NetworkPackCall>(&calls, call)));
}

Napi::Value arena_start(const Napi::CallbackInfo& call) {
  const Array array = read_array(call[0], "array");
  if (array.length > 0) advise_huge_pages(array.data, static_cast<size_t>(array.length));
  const size_t past = reinterpret_cast<uintptr_t>(array.data) % kLineBytes;
  return Napi::Number::New(call.Env(), static_cast<double>((kLineBytes - past) % kLineBytes));
}

void release_network(const Napi::CallbackInfo& call) { PreparedNetwork::unwrap(call[0]).release(); }

Napi::Value run_network_async(const Napi::CallbackInfo& call) {
  const PreparedNetwork& prepared = PreparedNetwork::unwrap(call[0]);
  RunOperands run = read_run(prepared.network()->store(), call[1], call[2], call[3]);
  for (size_t i = 0; i < run.outputs.size(); ++i) {
    advise_huge_pages(run.outputs[i], static_cast<size_t>(prepared.network()->store().output_bytes()[i]));
  }
  AsyncCalls& calls = Environment::of(call.Env()).async_calls();
  auto task = std::make_shared<NetworkCall>(&calls, prepared, std::move(run), call);
  return Napi::Number::New(call.Env(), calls.start(std::move(task)));
}

}  // namespace convmat::addon
