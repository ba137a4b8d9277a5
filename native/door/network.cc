#include "door/network.h"

#include <utility>

#include "plan/dispatch.h"

namespace convmat::door {
namespace {

int64_t read_bytes(const Value& value, const char* name) {
  const double bytes = read_double(value, name);
  if (!(bytes >= 0 && bytes <= 9007199254740992.0))
    throw Refusal(std::string(name) + ": expected a size, got " + described(value));
  return static_cast<int64_t>(bytes);
}

std::vector<int64_t> read_sizes(const Value& value, const char* name) {
  const size_t length = list_length(value, name);
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < length; ++i) sizes.push_back(read_bytes(list_item(value, i), name));
  return sizes;
}

void* read_bytes_of(const Value& value, int64_t bytes, const char* name) {
  const Array array = read_array(value, name);
  const int64_t length = static_cast<int64_t>(array.length) * bytes_of(dtype_of(array, name));
  if (length != bytes)
    throw Refusal(std::string(name) + ": expected " + quantity(bytes) + " bytes, got " + quantity(length));
  return array.data;
}

}  // namespace

std::shared_ptr<const Network> NetworkParts::make(const KernelTable& kernels, const Network* similar,
                                                  const std::atomic<bool>* cancelled) && {
  auto network = std::make_shared<const Network>(kernels, words, std::move(store), similar, cancelled);
  return words.done() ? network : nullptr;
}

std::shared_ptr<const Network> read_network(const Call& call, const Network* similar, bool constants_last) {
  return read_network_parts(call, constants_last).make(kernels_of(call), similar, nullptr);
}

NetworkParts read_network_parts(const Call& call, bool constants_last) {
  const Array words = read_array(call[0], "words");
  if (dtype_of(words, "words") != DType::f64)
    throw Refusal(std::string("words: expected float64, got ") + dtype_name(dtype_of(words, "words")));
  std::vector<Constant> constants;
  const size_t length = list_length(call[4], "constants");
  for (size_t i = 0; i < length; ++i) {
    const Array array = read_array(list_item(call[4], i), "constants");
    constants.push_back({array.data, dtype_of(array, "constants"), static_cast<int64_t>(array.length)});
  }
  return {Words(static_cast<const double*>(words.data), static_cast<int64_t>(words.length)),
          Store(read_bytes(call[1], "arenaBytes"), read_sizes(call[2], "inputBytes"),
                read_sizes(call[3], "outputBytes"), std::move(constants), constants_last)};
}

void read_spent(const Value& list, Store* store) {
  const size_t length = list_length(list, "spent");
  std::vector<int64_t> indices;
  for (size_t i = 0; i < length; ++i) indices.push_back(read_size(list_item(list, i), "spent"));
  store->expect_spent(indices);
}

RunOperands read_run(const Store& store, const Value& arena, const Value& inputs, const Value& outputs) {
  RunOperands run;
  run.arena = static_cast<std::byte*>(read_elements(arena, DType::u8, store.arena_bytes(), "arena"));
  const size_t from = list_length(inputs, "inputs"), to = list_length(outputs, "outputs");
  if (from != store.input_bytes().size() || to != store.output_bytes().size())
    throw Refusal("inputs: expected " + quantity(static_cast<int64_t>(store.input_bytes().size())) +
                  " inputs and " + quantity(static_cast<int64_t>(store.output_bytes().size())) +
                  " outputs, got " + quantity(static_cast<int64_t>(from)) + " and " +
                  quantity(static_cast<int64_t>(to)));
  for (size_t i = 0; i < from; ++i)
    run.inputs.push_back(read_bytes_of(list_item(inputs, i), store.input_bytes()[i], "inputs"));
  for (size_t i = 0; i < to; ++i)
    run.outputs.push_back(read_bytes_of(list_item(outputs, i), store.output_bytes()[i], "outputs"));
  return run;
}

}  // namespace convmat::door
