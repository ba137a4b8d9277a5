// What WebAssembly exports: memory for operands, one call of any function, and a description of it all.
// lib/backend/wasm/instance.ts is the other side.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "door/batch_norm.h"
#include "door/call.h"
#include "door/conv.h"
#include "door/elements.h"
#include "door/fixed.h"
#include "door/integer.h"
#include "door/lowering.h"
#include "door/matrix.h"
#include "door/network.h"
#include "door/pixels.h"
#include "door/pool.h"
#include "door/signal.h"
#include "door/spectra.h"
#include "door/tuning.h"
#include "door/vectors.h"
#include "runtime/arena.h"
#include "wasm/exceptions.h"
#include "wasm/memory.h"
#include "wasm/prepared.h"

namespace convmat::wasm_host {
namespace {

using door::Value;

// The number that a function gives; 0 of one that gives none.
template <auto Function>
double entry(const Call& call) {
  if constexpr (std::is_void_v<decltype(Function(call))>) {
    Function(call);
    return 0;
  } else {
    return static_cast<double>(Function(call));
  }
}

double workspace_peak_bytes(const Call&) { return static_cast<double>(arena_peak_bytes()); }

struct Export {
  const char* name;
  double (*function)(const Call&);
};
constexpr Export kExports[] = {
#define CONVMAT_FUNCTION(name, function) {#name, entry<door::function>},
#include "door/functions.inc"
#undef CONVMAT_FUNCTION
    {"workspacePeakBytes", entry<workspace_peak_bytes>},
    {"prepare", entry<prepare>},
    {"run", entry<run>},
    {"packedBytes", entry<packed_bytes>},
    {"release", entry<release>},
    {"prepareInteger", entry<prepare_integer>},
    {"runInteger", entry<run_integer>},
    {"packedBytesOfInteger", entry<packed_bytes_of_integer>},
    {"releaseInteger", entry<release_integer>},
    {"prepareNetwork", entry<prepare_network>},
    {"runNetwork", entry<run_network>},
    {"packedBytesOfNetwork", entry<packed_bytes_of_network>},
    {"stepsOfNetwork", entry<steps_of_network>},
    {"releaseNetwork", entry<release_network>},
};

enum Status : int32_t { kDone, kRefused, kOutOfMemory, kFailed };

double g_result;
char g_message[1024];

// As JSON. Names hold no character that JSON writes otherwise.
class Json {
 public:
  template <class Names>
  Json& list(const char* name, const Names& texts) {
    begin(name, '[');
    for (const char* text : texts) item().append("\"").append(text).append("\"");
    return end(']');
  }
  // Of at most three digits behind the point.
  Json& number(const char* name, double value) {
    key(name);
    text_ += quantity(static_cast<int64_t>(value * 1000 + 0.5)) + "e-3";
    return *this;
  }
  Json& begin(const char* name, char bracket) {
    if (name != nullptr) key(name);
    text_ += bracket;
    is_first_ = true;
    return *this;
  }
  Json& end(char bracket) {
    text_ += bracket;
    is_first_ = false;
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string& item() {
    if (!is_first_) text_ += ',';
    is_first_ = false;
    return text_;
  }
  void key(const char* name) { item().append("\"").append(name).append("\":"); }

  std::string text_;
  bool is_first_ = true;
};

std::string describe() {
  const KernelTable& kernels = door::kernels_of(Call(nullptr, 0));
  std::vector<const char*> functions;
  for (const Export& e : kExports) functions.push_back(e.name);
  Json json;
  json.begin(nullptr, '{');
  json.list("isas", std::vector<const char*>{kernels.name});
  json.list("functions", functions);
  json.list("convPlanFields", kConvPlanFields);
  json.list("integerPlanFields", kIntegerPlanFields);
  json.list("poolPlanFields", kPoolPlanFields);
  json.list("fixedPlanFields", kFixedPlanFields);
  json.begin("enumerations", '{');
  for (const Enumeration& e : kEnumerations) json.list(e.name, e.values);
  for (const Enumeration& e : kNetworkEnumerations) json.list(e.name, e.values);
  json.end('}').begin("tuning", '{');
  const char* open = "";
  for (const auto& [group, name, value] : door::tuning_of(kernels)) {
    if (strcmp(group, open) != 0) {
      if (*open != '\0') json.end('}');
      if (*group != '\0') json.begin(group, '{');
      open = group;
    }
    json.number(name, value);
  }
  if (*open != '\0') json.end('}');
  return json.end('}').end('}').text();
}

}  // namespace

#define CONVMAT_EXPORT(name) __attribute__((export_name(#name)))

extern "C" {

// Memory for operands, aligned to a cache line, until `release`; null when there is none.
CONVMAT_EXPORT(allocate) void* convmat_allocate(size_t bytes) {
  constexpr size_t line = 64;
  if (bytes > SIZE_MAX - kReachBytes - line) return nullptr;
  return aligned_alloc(line, (bytes + kReachBytes + line - 1) / line * line);
}
CONVMAT_EXPORT(release) void convmat_release(void* memory) { free(memory); }

// Calls a function by its place in `describe`; `result` and `message` say what came of it.
CONVMAT_EXPORT(call) int32_t convmat_call(uint32_t function, const Value* values, size_t count) {
  try {
    g_result = kExports[function].function(Call(values, count));
    return kDone;
  } catch (...) {
    const Thrown what = thrown();
    strncpy(g_message, thrown_message(), sizeof g_message - 1);
    return what == Thrown::refusal ? kRefused : what == Thrown::out_of_memory ? kOutOfMemory : kFailed;
  }
}
CONVMAT_EXPORT(result) double convmat_result() { return g_result; }
CONVMAT_EXPORT(message) const char* convmat_message() { return g_message; }

// The functions in order, and what must be the same on the other side, as JSON.
CONVMAT_EXPORT(describe) const char* convmat_describe() {
  static const std::string description = describe();
  return description.c_str();
}

}  // extern "C"

}  // namespace convmat::wasm_host
