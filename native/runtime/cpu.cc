#include "runtime/cpu.h"

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
  #define CONVMAT_X64 1
  // macOS lends a thread the 512-bit registers once it has used them, and XCR0 denies them until then: the
  // kernels would never be chosen.
  #if !defined(__APPLE__)
    #define CONVMAT_HAS_AVX512 1
  #endif
  #if defined(_MSC_VER)
    #include <immintrin.h>
    #include <intrin.h>
  #else
    #include <cpuid.h>
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

// NEON is part of every arm64 system, which therefore needs no generic kernels.
#if CONVMAT_ARM64
namespace neon {
extern const KernelTable kernels;
}
#else
namespace generic {
extern const KernelTable kernels;
}
#endif
#if CONVMAT_X64
namespace avx2 {
extern const KernelTable kernels;
}
#endif
#if CONVMAT_HAS_AVX512
namespace avx512 {
extern const KernelTable kernels;
}
#endif

namespace {

enum Feature : uint32_t {
  avx2_bit = 1u << 0,
  fma_bit = 1u << 1,
  avx512f_bit = 1u << 2,
  avx512bw_bit = 1u << 3,
  avx512dq_bit = 1u << 4,
  avx512vl_bit = 1u << 5,
  avx512vnni_bit = 1u << 6,
  bmi2_bit = 1u << 7,
  neon_bit = 1u << 8,
  dotprod_bit = 1u << 9,
};

struct FeatureName {
  uint32_t bit;
  const char* name;
};
constexpr FeatureName kFeatureNames[] = {
    {avx2_bit, "avx2"},
    {fma_bit, "fma"},
    {avx512f_bit, "avx512f"},
    {avx512bw_bit, "avx512bw"},
    {avx512dq_bit, "avx512dq"},
    {avx512vl_bit, "avx512vl"},
    {avx512vnni_bit, "avx512vnni"},
    {bmi2_bit, "bmi2"},
    {neon_bit, "neon"},
    {dotprod_bit, "dotprod"},
};

struct Candidate {
  uint32_t required;
  const KernelTable* kernels;
  uint32_t for_quads;  // what its kernels of quads need beside that
};
// The first whose features are all there wins.
constexpr Candidate kCandidates[] = {
#if CONVMAT_HAS_AVX512
    {avx512f_bit | avx512bw_bit | avx512dq_bit | avx512vl_bit | bmi2_bit, &avx512::kernels, avx512vnni_bit},
#endif
#if CONVMAT_X64
    {avx2_bit | fma_bit, &avx2::kernels, 0},
#endif
#if CONVMAT_ARM64
    {0, &neon::kernels, dotprod_bit},
#else
    {0, &generic::kernels, 0},
#endif
};

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
uint32_t detect_features() {
  const uint32_t max_leaf = cpuid(0).a;
  if (max_leaf < 7) return 0;
  const Registers leaf1 = cpuid(1), leaf7 = cpuid(7);
  const auto bit = [](uint32_t word, int index) { return (word >> index & 1) != 0; };
  if (!bit(leaf1.c, 27)) return 0;  // OSXSAVE: without it there is no XGETBV
  const uint64_t state = enabled_state();
  constexpr uint64_t ymm_state = 0x6, zmm_state = 0xe6;
  uint32_t features = 0;
  if ((state & ymm_state) == ymm_state) {
    if (bit(leaf7.b, 5)) features |= avx2_bit;
    if (bit(leaf1.c, 12)) features |= fma_bit;
    if (bit(leaf7.b, 8)) features |= bmi2_bit;
  }
  if ((state & zmm_state) == zmm_state) {
    if (bit(leaf7.b, 16)) features |= avx512f_bit;
    if (bit(leaf7.b, 17)) features |= avx512dq_bit;
    if (bit(leaf7.b, 30)) features |= avx512bw_bit;
    if (bit(leaf7.b, 31)) features |= avx512vl_bit;
    if (bit(leaf7.c, 11)) features |= avx512vnni_bit;
  }
  return features;
}

#elif CONVMAT_ARM64

bool has_dotprod() {
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

uint32_t detect_features() { return neon_bit | (has_dotprod() ? dotprod_bit : 0u); }

#else

uint32_t detect_features() { return 0; }

#endif

uint32_t features() {
  static const uint32_t found = detect_features();
  return found;
}

// For a CPU that lacks what they need. Made at most once for each table, and kept as long as the process.
const KernelTable* without_quads(const KernelTable& kernels) {
  auto* const rest = new KernelTable(kernels);
  rest->integer.quad_line = nullptr;
  rest->integer.quad_tile = nullptr;
  return rest;
}

}  // namespace

const std::vector<const KernelTable*>& available_kernels() {
  static const std::vector<const KernelTable*> available = [] {
    std::vector<const KernelTable*> tables;
    for (const Candidate& candidate : kCandidates) {
      if ((features() & candidate.required) != candidate.required) continue;
      const bool quads = (features() & candidate.for_quads) == candidate.for_quads;
      tables.push_back(quads ? candidate.kernels : without_quads(*candidate.kernels));
    }
    return tables;
  }();
  return available;
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
    for (const FeatureName& feature : kFeatureNames) {
      if ((features() & feature.bit) != 0) found.push_back(feature.name);
    }
    return found;
  }();
  return names;
}

}  // namespace convmat
