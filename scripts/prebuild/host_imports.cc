// Windows only: the Node-API functions, found in whatever program has loaded the addon.
//
// An import library would name the file that they come from, and that is node.exe for Node alone: Electron and other
// hosts have their own names, or keep Node in a DLL. node_api.h declares each function as imported, so compiled calls go
// through a pointer named __imp_<function>; this file defines those pointers and fills them when the DLL is loaded.
#include <windows.h>

// FOR_EACH_NODE_API_FUNCTION(F): F(name) for each function of the Node-API version that the addon is built against.
#include "node_api_functions.inc"

extern "C" {
#define CONVMAT_POINTER(name) FARPROC __imp_##name = nullptr;
FOR_EACH_NODE_API_FUNCTION(CONVMAT_POINTER)
#undef CONVMAT_POINTER
}

namespace {

struct Import {
  FARPROC* pointer;
  const char* name;
};
constexpr Import kImports[] = {
#define CONVMAT_IMPORT(name) {&__imp_##name, #name},
    FOR_EACH_NODE_API_FUNCTION(CONVMAT_IMPORT)
#undef CONVMAT_IMPORT
};

// The program itself, then the DLLs that an embedder may keep Node in.
constexpr const wchar_t* kHosts[] = {nullptr, L"node.dll", L"libnode.dll"};

// In place of a function that the host lacks: napi_generic_failure, which every caller checks for.
INT_PTR WINAPI absent() { return 9; }

// GetModuleHandle and GetProcAddress may be called while a DLL is being loaded.
__attribute__((constructor)) void find_node_api() {
  HMODULE host = nullptr;
  for (const wchar_t* name : kHosts) {
    host = GetModuleHandleW(name);
    if (host != nullptr && GetProcAddress(host, "napi_create_function") != nullptr) break;
  }
  for (const Import& import : kImports) {
    FARPROC found = host == nullptr ? nullptr : GetProcAddress(host, import.name);
    *import.pointer = found != nullptr ? found : &absent;
  }
}

}  // namespace
