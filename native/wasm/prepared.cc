#include "wasm/prepared.h"

#include <memory>
#include <utility>

#include "conv/conv.h"
#include "door/conv.h"
#include "door/integer.h"
#include "door/network.h"

namespace convmat::wasm_host {
namespace {

using namespace door;

struct PreparedConv {
  ConvPlan plan;
  ConvLengths lengths;
  std::shared_ptr<const PackedConv> packed;
};

struct PreparedInteger {
  WireIntegerPlan plan;
  std::shared_ptr<const PackedIntegerConv> packed;
};

struct PreparedNetwork {
  std::shared_ptr<const Network> network;
};

template <class Prepared>
double handle_of(Prepared prepared) {
  return static_cast<double>(reinterpret_cast<uintptr_t>(new Prepared(std::move(prepared))));
}

template <class Prepared>
Prepared& prepared_of(const Value& handle) {
  return *reinterpret_cast<Prepared*>(static_cast<uintptr_t>(read_double(handle, "prepared")));
}

}  // namespace

double prepare(const Call& call) {
  const WirePlan plan = read_conv_plan(call[0], kConvOperations);
  const ConvOperands operands = read_conv_operands(call, 1, plan);
  std::shared_ptr<const PackedConv> packed;
  if (!is_nullish(call[5])) {
    const auto& similar = prepared_of<PreparedConv>(call[5]);
    if (packed_alike(similar.plan, plan.conv)) packed = similar.packed;
  }
  if (packed == nullptr) {
    packed = pack_conv(Context{&kernels_of(call)}, plan.conv, operands.weight, operands.bias, operands.lo,
                       operands.hi);
  }
  return handle_of(PreparedConv{plan.conv, lengths_of(plan), std::move(packed)});
}

void run(const Call& call) {
  const auto& [plan, lengths, packed] = prepared_of<PreparedConv>(call[0]);
  const void* const x = read_elements(call[1], plan.dtype, lengths.input, "input");
  void* const y = read_result(call[2], plan.dtype, lengths.output, "output");
  run_conv(Context{&kernels_of(call)}, plan, *packed, x, y);
}

double packed_bytes(const Call& call) {
  return static_cast<double>(prepared_of<PreparedConv>(call[0]).packed->bytes());
}

void release(const Call& call) { delete &prepared_of<PreparedConv>(call[0]); }

double prepare_integer(const Call& call) {
  const WireIntegerPlan plan = read_integer_plan(call[0]);
  return handle_of(PreparedInteger{plan, pack_integer(call, plan, Context{&kernels_of(call)})});
}

void run_integer(const Call& call) {
  const auto& [plan, packed] = prepared_of<PreparedInteger>(call[0]);
  const void* const x = read_elements(call[1], plan.conv.conv.dtype, plan.input_length, "input");
  void* const y = read_result(call[2], plan.conv.output_dtype, plan.output_length, "output");
  packed->run(Context{&kernels_of(call)}, x, y);
}

double packed_bytes_of_integer(const Call& call) {
  return static_cast<double>(prepared_of<PreparedInteger>(call[0]).packed->bytes());
}

void release_integer(const Call& call) { delete &prepared_of<PreparedInteger>(call[0]); }

double prepare_network(const Call& call) {
  const Network* const similar =
      is_nullish(call[5]) ? nullptr : prepared_of<PreparedNetwork>(call[5]).network.get();
  return handle_of(PreparedNetwork{read_network(call, similar)});
}

void run_network(const Call& call) {
  const Network& network = *prepared_of<PreparedNetwork>(call[0]).network;
  const RunOperands operands = read_run(network.store(), call[1], call[2], call[3]);
  const auto steps = static_cast<int64_t>(network.steps().size());
  void* const times = read_optional_elements(call[4], DType::f64, steps, "times");
  network.run(Context{&kernels_of(call)}, operands.memory(), static_cast<double*>(times));
}

double packed_bytes_of_network(const Call& call) {
  return static_cast<double>(prepared_of<PreparedNetwork>(call[0]).network->bytes());
}

double steps_of_network(const Call& call) {
  return static_cast<double>(prepared_of<PreparedNetwork>(call[0]).network->steps().size());
}

void release_network(const Call& call) { delete &prepared_of<PreparedNetwork>(call[0]); }

}  // namespace convmat::wasm_host
