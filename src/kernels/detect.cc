// What this CPU and this operating system can run, and the float mode of a thread.
#include <string_view>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/prefetch.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace lfm::kernels {
namespace {

#if defined(__x86_64__)
struct CpuidRegs {
  unsigned a = 0, b = 0, c = 0, d = 0;
};
CpuidRegs Cpuid(unsigned leaf, unsigned sub) {
  CpuidRegs r;
  if (__get_cpuid_count(leaf, sub, &r.a, &r.b, &r.c, &r.d) == 0) return {};
  return r;
}
bool Bit(unsigned reg, int i) { return ((reg >> i) & 1u) != 0; }

// The register state that the OS saves (XCR0).
uint64_t SavedState() {
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

// AMX tile data must be asked for, once a process (Linux 5.16).
bool AmxAllowed() {
#if defined(__linux__)
  constexpr long kArchReqXcompPerm = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kTileData) == 0;
#else
  return false;
#endif
}

void DetectX86(std::vector<Isa>& found) {
  const CpuidRegs l1 = Cpuid(1, 0), l7 = Cpuid(7, 0), l71 = Cpuid(7, 1);
  if (!Bit(l1.c, 27)) return;  // OSXSAVE
  const uint64_t saved = SavedState();
  const bool ymm = (saved & 0x6) == 0x6;
  const bool zmm = ymm && (saved & 0xe0) == 0xe0;
  const bool tiles = zmm && (saved & 0x60000) == 0x60000;
  const bool avx2 = ymm && Bit(l1.c, 12) && Bit(l1.c, 28) && Bit(l1.c, 29) && Bit(l7.b, 5) && Bit(l7.b, 8);
  const bool avx512 =
      avx2 && zmm && Bit(l7.b, 16) && Bit(l7.b, 17) && Bit(l7.b, 30) && Bit(l7.b, 31) && Bit(l7.c, 11);  // F, DQ, BW, VL, VNNI
  const bool vbmi = avx512 && Bit(l7.c, 1);
  // Every CPU with AMX has VBMI, and the table of kAmx holds kernels of both.
  if (vbmi && tiles && Bit(l7.d, 24) && Bit(l7.d, 25) && AmxAllowed()) found.push_back(Isa::kAmx);
  if (vbmi) found.push_back(Isa::kAvx512Vbmi);
  if (avx512) found.push_back(Isa::kAvx512Vnni);
  if (avx2 && Bit(l71.a, 4)) found.push_back(Isa::kAvxVnni);
  if (avx2) found.push_back(Isa::kAvx2);
}
#endif

#if defined(__aarch64__)
void DetectArm(std::vector<Isa>& found) {
#if defined(__linux__)
  constexpr unsigned long kDotProd = 1ul << 20, kHalf = 1ul << 10, kI8mm2 = 1ul << 13;
  const unsigned long caps = getauxval(AT_HWCAP), caps2 = getauxval(AT_HWCAP2);
  if ((caps & kDotProd) == 0 || (caps & kHalf) == 0) return;
  if ((caps2 & kI8mm2) != 0) found.push_back(Isa::kI8mm);
  found.push_back(Isa::kNeon);
#elif defined(__APPLE__)
  found.push_back(Isa::kNeon);  // every Apple silicon has dotprod
#endif
}
#endif

}  // namespace

std::string_view IsaName(Isa isa) {
  switch (isa) {
    case Isa::kScalar: return "scalar";
    case Isa::kAvx2: return "avx2";
    case Isa::kAvxVnni: return "avxvnni";
    case Isa::kAvx512Vnni: return "avx512vnni";
    case Isa::kAvx512Vbmi: return "avx512vbmi";
    case Isa::kAmx: return "amx";
    case Isa::kNeon: return "neon";
    case Isa::kI8mm: return "i8mm";
  }
  return "";
}

std::vector<Isa> DetectIsas() {
  std::vector<Isa> found;
#if defined(__x86_64__)
  DetectX86(found);
#elif defined(__aarch64__)
  DetectArm(found);
#endif
  found.push_back(Isa::kScalar);
  return found;
}

CpuMaker GetCpuMaker() {
#if defined(__x86_64__)
  static const CpuMaker maker = [] {
    const CpuidRegs name = Cpuid(0, 0);
    return name.b == signature_AMD_ebx && name.c == signature_AMD_ecx && name.d == signature_AMD_edx ? CpuMaker::kAmd
                                                                                                     : CpuMaker::kOther;
  }();
  return maker;
#else
  return CpuMaker::kOther;
#endif
}

#if defined(__x86_64__)
FloatMode::FloatMode() : saved_(_mm_getcsr()) {
  constexpr unsigned kMasked = 0x1f80;  // all exceptions masked, nearest, no FTZ, no DAZ
  _mm_setcsr(kMasked);
}
FloatMode::~FloatMode() { _mm_setcsr(static_cast<unsigned>(saved_)); }
#elif defined(__aarch64__)
FloatMode::FloatMode() {
  __asm__ volatile("mrs %0, fpcr" : "=r"(saved_));
  __asm__ volatile("msr fpcr, %0" : : "r"(uint64_t{0}));
}
FloatMode::~FloatMode() { __asm__ volatile("msr fpcr, %0" : : "r"(saved_)); }
#else
FloatMode::FloatMode() : saved_(0) {}
FloatMode::~FloatMode() = default;
#endif

}  // namespace lfm::kernels
