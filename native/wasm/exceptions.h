// C++ exceptions by those of WebAssembly, as far as this library needs them: one at a time, caught by catch
// (...).
#pragma once

namespace convmat::wasm_host {

enum class Thrown { refusal, out_of_memory, other };

// What the exception is that the innermost catch (...) is handling, and what it says: until that block ends.
Thrown thrown();
const char* thrown_message();

}  // namespace convmat::wasm_host
