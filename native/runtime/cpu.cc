#include "runtime/cpu.h"

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
  #define CONVMAT_X64 1
  #if defined(_MSC_VER)
    #include <immintrin.h>
    #include <intrin.h>
  #else
    #include <cpuid.h>
  #endif
  #if defined(__linux__)
    #include <sys/syscall.h>
    #include <unistd.h>
  #endif
#elif defined(__aarch64__) || defined(_M_ARM64)
  #define CONVMAT_ARM64 1
  #if defined(__linux__)
    #include <sys/auxv.h>
  #elif defined(__APPLE__)
    #include <sys/sysctl.h>
  #elif defined(_WIN32)
    #define WIN32_LEAN_AND_MEAN
    #define NOMINMAX
    #include <windows.h>
  #endif
#endif

namespace convmat {

#define CONVMAT_ISA_UNIT(isa, required, for_quads) \
  namespace isa {                                  \
  extern const KernelTable kernels;                \
  }
#define CONVMAT_TILE_UNIT(isa, base, required, for_quads) \
  namespace isa {                                         \
  extern const TileKernels kernels;                       \
  }
#include "runtime/isas.inc"

namespace {

#if CONVMAT_X64

struct Registers {
  uint32_t a, b, c, d;
};

Registers cpuid(uint32_t leaf) {
  Registers r{};
  #if defined(_MSC_VER)
  int out[4];
  __cpuidex(out, static_cast<int>(leaf), 0);
  r = {static_cast<uint32_t>(out[0]), static_cast<uint32_t>(out[1]), static_cast<uint32_t>(out[2]),
       static_cast<uint32_t>(out[3])};
  #else
  __cpuid_count(leaf, 0, r.a, r.b, r.c, r.d);
  #endif
  return r;
}

uint64_t enabled_state() {
  #if defined(_MSC_VER)
  return _xgetbv(0);
  #else
  // _xgetbv would need -mxsave for this baseline file.
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
  #endif
}

// A feature counts when the CPU has it (CPUID) and the operating system saves its registers (XCR0): a
// hypervisor or an old kernel may leave the second out, and the first use would then kill the process.
struct Detection {
  Registers leaf1{}, leaf7{};
  uint64_t saved = 0;

  Detection() {
    if (cpuid(0).a < 7) return;
    leaf1 = cpuid(1), leaf7 = cpuid(7);
    constexpr uint32_t osxsave = 1u << 27;  // without it there is no XGETBV
    if ((leaf1.c & osxsave) != 0) saved = enabled_state();
  }
  // Whether the system lends its tiles to processes that ask for them, as runtime/tile_unit.h does.
  bool tiles(uint32_t word, int index) const { return lends_tiles() && has(0x60000, word, index); }
  bool ymm(uint32_t word, int index) const { return has(0x6, word, index); }
  bool zmm(uint32_t word, int index) const { return has(0xe6, word, index); }

 private:
  static bool lends_tiles() {
  #if defined(__linux__)
    constexpr long ask_what_there_is = 0x1021;  // ARCH_GET_XCOMP_SUPP of Linux 5.16
    uint64_t states = 0;
    return syscall(SYS_arch_prctl, ask_what_there_is, &states) == 0 && (states >> 18 & 1) != 0;
  #else
    return false;
  #endif
  }
  bool has(uint64_t state, uint32_t word, int index) const {
    return (saved & state) == state && (word >> index & 1) != 0;
  }
};

// FEATURE(name in the usual spelling, whether `found` has it).
  #define CONVMAT_FEATURES(FEATURE)                   \
    FEATURE(avx2, found.ymm(found.leaf7.b, 5))        \
    FEATURE(fma, found.ymm(found.leaf1.c, 12))        \
    FEATURE(avx512f, found.zmm(found.leaf7.b, 16))    \
    FEATURE(avx512bw, found.zmm(found.leaf7.b, 30))   \
    FEATURE(avx512dq, found.zmm(found.leaf7.b, 17))   \
    FEATURE(avx512vl, found.zmm(found.leaf7.b, 31))   \
    FEATURE(avx512vnni, found.zmm(found.leaf7.c, 11)) \
    FEATURE(bmi2, found.ymm(found.leaf7.b, 8))        \
    FEATURE(amx_tile, found.tiles(found.leaf7.d, 24)) \
    FEATURE(amx_int8, found.tiles(found.leaf7.d, 25)) \
    FEATURE(amx_bf16, found.tiles(found.leaf7.d, 22))

#elif CONVMAT_ARM64

struct Detection {
  static bool dotprod() {
  #if defined(__linux__)
    return (getauxval(AT_HWCAP) & 1u << 20) != 0;  // HWCAP_ASIMDDP
  #elif defined(__APPLE__)
    int has = 0;
    size_t size = sizeof has;
    return sysctlbyname("hw.optional.arm.FEAT_DotProd", &has, &size, nullptr, 0) == 0 && has != 0;
  #elif defined(_WIN32)
    return IsProcessorFeaturePresent(43) != 0;  // PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE
  #else
    return false;
  #endif
  }
};

  #define CONVMAT_FEATURES(FEATURE) \
    FEATURE(neon, true)             \
    FEATURE(dotprod, found.dotprod())

#else

struct Detection {};

  #define CONVMAT_FEATURES(FEATURE)

#endif

#define CONVMAT_FEATURE(name, present) name##_place,
enum FeaturePlace : uint32_t { CONVMAT_FEATURES(CONVMAT_FEATURE) feature_count };
#undef CONVMAT_FEATURE

#define CONVMAT_FEATURE(name, present) name##_bit = 1u << name##_place,
enum Feature : uint32_t { CONVMAT_FEATURES(CONVMAT_FEATURE) };
#undef CONVMAT_FEATURE

uint32_t detect_features() {
  [[maybe_unused]] const Detection found;
  uint32_t features = 0;
#define CONVMAT_FEATURE(name, present) \
  if (present) features |= name##_bit;
  CONVMAT_FEATURES(CONVMAT_FEATURE)
#undef CONVMAT_FEATURE
  return features;
}

uint32_t features() {
  static const uint32_t found = detect_features();
  return found;
}

struct Candidate {
  uint32_t required;
  const KernelTable* kernels;
  uint32_t for_quads;  // what its kernels of quads need beside that
  // Of one that adds tiles to another's kernels: its name and them.
  const char* name;
  const TileKernels* tiles;
};
// The first whose features are all there wins.
#define CONVMAT_ISA_UNIT(isa, required, for_quads) {required, &isa::kernels, for_quads, nullptr, nullptr},
#define CONVMAT_TILE_UNIT(isa, base, required, for_quads) \
  {required, &base::kernels, for_quads, #isa, &isa::kernels},
constexpr Candidate kCandidates[] = {
#include "runtime/isas.inc"
};

// What this CPU has of a candidate's kernels. Called at most once for each; kept as long as the process.
const KernelTable* kernels_of(const Candidate& candidate) {
  const bool quads = (features() & candidate.for_quads) == candidate.for_quads;
  if (quads && candidate.tiles == nullptr) return candidate.kernels;
  auto* const own = new KernelTable(*candidate.kernels);
  if (!quads) {
    own->integer.quad_line = nullptr;
    own->integer.quad_tile = nullptr;
  }
  if (candidate.tiles != nullptr) {
    own->name = candidate.name;
    own->integer.tiles = candidate.tiles;
  }
  return own;
}

}  // namespace

const std::vector<const KernelTable*>& available_kernels() {
  // Never destroyed, nor are the tables that it alone points to.
  static const std::vector<const KernelTable*>* const available = [] {
    auto* const tables = new std::vector<const KernelTable*>;
    for (const Candidate& candidate : kCandidates) {
      if ((features() & candidate.required) == candidate.required) tables->push_back(kernels_of(candidate));
    }
    return tables;
  }();
  return *available;
}

const KernelTable& best_kernels() { return *available_kernels().front(); }

const KernelTable* find_kernels(std::string_view name) {
  for (const KernelTable* kernels : available_kernels()) {
    if (name == kernels->name) return kernels;
  }
  return nullptr;
}

const std::vector<const char*>& cpu_feature_names() {
  static const std::vector<const char*> names = [] {
    std::vector<const char*> found;
#define CONVMAT_FEATURE(name, present) \
  if ((features() & name##_bit) != 0) found.push_back(#name);
    CONVMAT_FEATURES(CONVMAT_FEATURE)
#undef CONVMAT_FEATURE
    return found;
  }();
  return names;
}

}  // namespace convmat
