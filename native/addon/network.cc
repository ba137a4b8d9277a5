#include "addon/network.h"

#include <memory>
#include <utility>
#include <vector>

#include "addon/async.h"
#include "addon/environment.h"
#include "addon/prepared.h"
#include "network/network.h"
#include "runtime/pages.h"

namespace convmat::addon {
namespace {

constexpr napi_type_tag kNetworkTag = {0x3f6a1c8e57d24b90, 0xa85e0d73c1924f6b};

Napi::Array read_list(const Napi::Value& value, const char* name) {
  if (!value.IsArray()) throw Refusal(std::string(name) + ": expected a list");
  return value.As<Napi::Array>();
}

int64_t read_bytes(const Napi::Value& value, const char* name) {
  const double bytes = read_double(value, name);
  if (!(bytes >= 0 && bytes <= 9007199254740992.0)) throw Refusal(std::string(name) + ": expected a size");
  return static_cast<int64_t>(bytes);
}

std::vector<int64_t> read_sizes(const Napi::Value& value, const char* name) {
  const Napi::Array list = read_list(value, name);
  std::vector<int64_t> sizes;
  for (uint32_t i = 0; i < list.Length(); ++i) sizes.push_back(read_bytes(list[i], name));
  return sizes;
}

// What a run is called with.
struct RunOperands {
  std::byte* arena;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;

  Memory memory() const { return {arena, inputs.data(), outputs.data()}; }
};

void* read_bytes_of(const Napi::Value& value, int64_t bytes, const char* name) {
  const Array array = read_array(value, name);
  if (array.length * bytes_of(dtype_of(array, name)) != static_cast<uint64_t>(bytes))
    throw Refusal(std::string(name) + ": expected " + quantity(bytes) + " bytes");
  return array.data;
}

RunOperands read_run(const Store& store, const Napi::Value& arena, const Napi::Value& inputs,
                     const Napi::Value& outputs) {
  RunOperands run;
  run.arena = static_cast<std::byte*>(read_elements(arena, DType::u8, store.arena_bytes(), "arena"));
  const Napi::Array from = read_list(inputs, "inputs"), to = read_list(outputs, "outputs");
  if (from.Length() != store.input_bytes().size() || to.Length() != store.output_bytes().size())
    throw Refusal("inputs: expected as many arrays as the network has inputs and outputs");
  for (uint32_t i = 0; i < from.Length(); ++i)
    run.inputs.push_back(read_bytes_of(from[i], store.input_bytes()[i], "inputs"));
  for (uint32_t i = 0; i < to.Length(); ++i)
    run.outputs.push_back(read_bytes_of(to[i], store.output_bytes()[i], "outputs"));
  return run;
}

class PreparedNetwork {
 public:
  PreparedNetwork(Napi::Env env, const KernelTable& kernels, std::shared_ptr<const Network> network)
      : kernels_(&kernels),
        network_(std::move(network)),
        reported_(std::make_unique<ReportedMemory>(env, network_->bytes())) {}

  static PreparedNetwork& unwrap(const Napi::Value& run) {
    auto* const prepared = find_prepared<PreparedNetwork>(run, kNetworkTag);
    if (prepared == nullptr) throw Refusal("prepared: expected a prepared network");
    if (prepared->network_ == nullptr) throw Refusal("prepared: expected a network that is not released");
    return *prepared;
  }

  const KernelTable& kernels() const { return *kernels_; }
  const std::shared_ptr<const Network>& network() const { return network_; }
  void release() {
    network_.reset();
    reported_.reset();
  }

 private:
  const KernelTable* const kernels_;
  std::shared_ptr<const Network> network_;  // null when released
  std::unique_ptr<ReportedMemory> reported_;
};

// run(arena, inputs, outputs, times | null)
void run_network(const Napi::CallbackInfo& call) {
  const auto& prepared = *static_cast<const PreparedNetwork*>(call.Data());
  if (prepared.network() == nullptr) throw Refusal("prepared: expected a network that is not released");
  // Held, since a getter of an operand may release it.
  const std::shared_ptr<const Network> network = prepared.network();
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
  }

 private:
  void work() override { network_->run(Context{kernels_, &cancelled()}, run_.memory()); }
  Napi::Value take_result(Napi::Env) override { return kept(0).Value(); }

  const KernelTable* const kernels_;
  const std::shared_ptr<const Network> network_;
  const RunOperands run_;
};

}  // namespace

Napi::Value prepare_network(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const KernelTable& kernels = Environment::of(env).kernels();
  const Array words = read_array(call[0], "words");
  if (words.type != napi_float64_array) throw Refusal("words: expected a Float64Array");
  std::vector<Constant> constants;
  const Napi::Array list = read_list(call[4], "constants");
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Array array = read_array(list[i], "constants");
    constants.push_back({array.data, dtype_of(array, "constants"), static_cast<int64_t>(array.length)});
  }
  const PreparedNetwork* const similar = is_nullish(call[5]) ? nullptr : &PreparedNetwork::unwrap(call[5]);

  Words reader(static_cast<const double*>(words.data), static_cast<int64_t>(words.length));
  Store store(read_bytes(call[1], "arenaBytes"), read_sizes(call[2], "inputBytes"),
              read_sizes(call[3], "outputBytes"), std::move(constants));
  auto network = std::make_shared<const Network>(kernels, reader, std::move(store),
                                                 similar == nullptr ? nullptr : similar->network().get());
  const size_t bytes = network->bytes();
  const auto steps = static_cast<double>(network->steps().size());
  auto run = bind_function(env, kNetworkTag, entry<run_network>,
                           std::make_unique<PreparedNetwork>(env, kernels, std::move(network)), bytes);
  run.Set("steps", steps);
  return run;
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
