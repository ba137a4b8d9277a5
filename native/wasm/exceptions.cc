#include "wasm/exceptions.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <typeinfo>

#include "plan/wire.h"
#include "wasm/memory.h"

namespace {

// Destructors return their object there.
using Destroy = void* (*)(void*);

// The exception under way. Memory for it is there when no other is left.
struct Exception {
  alignas(16) unsigned char object[64];
  const std::type_info* type;
  Destroy destroy;
};
Exception g_exception;

}  // namespace

namespace convmat::wasm_host {

Thrown thrown() {
  const std::type_info& type = *g_exception.type;
  if (type == typeid(Refusal)) return Thrown::refusal;
  // A length_error: more elements than a container can hold.
  const bool is_memory = type == typeid(std::bad_alloc) || type == typeid(std::bad_array_new_length) ||
                         type == typeid(std::length_error);
  return is_memory ? Thrown::out_of_memory : Thrown::other;
}

const char* thrown_message() {
  if (*g_exception.type != typeid(Refusal)) return g_exception.type->name();
  return reinterpret_cast<const Refusal*>(g_exception.object)->what();
}

}  // namespace convmat::wasm_host

// What compiled code calls, by the Itanium C++ ABI.
extern "C" {

void* __cxa_allocate_exception(size_t bytes) {
  if (bytes > sizeof g_exception.object) abort();
  return g_exception.object;
}

void __cxa_free_exception(void*) {}

[[noreturn]] void __cxa_throw(void* object, std::type_info* type, Destroy destroy) {
  g_exception.type = type;
  g_exception.destroy = destroy;
  __builtin_wasm_throw(0, object);
}

void* __cxa_begin_catch(void* object) { return object; }

void __cxa_end_catch() {
  if (g_exception.destroy != nullptr) g_exception.destroy(g_exception.object);
  g_exception.destroy = nullptr;
}

}  // extern "C"

// --- memory that runs out throws; the C++ library's own was built to end the program ---

namespace {

using convmat::wasm_host::kReachBytes;

void* allocate(size_t bytes) {
  void* const memory = malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void* allocate(size_t bytes, std::align_val_t alignment) {
  const auto line = static_cast<size_t>(alignment);
  if (bytes > SIZE_MAX - kReachBytes - line) throw std::bad_alloc();
  void* const memory = aligned_alloc(line, (bytes + kReachBytes + line - 1) / line * line);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t bytes) { return allocate(bytes); }
void* operator new[](size_t bytes) { return allocate(bytes); }
void* operator new(size_t bytes, std::align_val_t alignment) { return allocate(bytes, alignment); }
void* operator new[](size_t bytes, std::align_val_t alignment) { return allocate(bytes, alignment); }
void operator delete(void* memory) noexcept { free(memory); }
void operator delete[](void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
void operator delete[](void* memory, size_t) noexcept { free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { free(memory); }
