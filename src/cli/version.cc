#include "cli/version.h"

#include "base/strings.h"
#include "kernels/kernels.h"

#if __has_include("lfm_commit.inc")
#include "lfm_commit.inc"  // written by the build: LFM_COMMIT
#endif
#ifndef LFM_COMMIT
#define LFM_COMMIT ""
#endif
#ifndef LFM_VERSION
#define LFM_VERSION "0.0.0"
#endif

namespace lfm::cli {
namespace {

std::string Compiler() {
#if defined(__clang__)
  return StrCat("clang ", __clang_major__, ".", __clang_minor__, ".", __clang_patchlevel__);
#else
  return StrCat("g++ ", __GNUC__, ".", __GNUC_MINOR__, ".", __GNUC_PATCHLEVEL__);
#endif
}

}  // namespace

std::string_view Version() { return LFM_VERSION; }
std::string_view Commit() { return LFM_COMMIT; }

std::string VersionText() {
  std::string isas;
  for (const kernels::Isa isa : kernels::DetectIsas()) isas += StrCat(isas.empty() ? "" : ", ", kernels::IsaName(isa));
  return StrCat("lfm ", Version(), "\ncommit ", Commit().empty() ? "unknown" : Commit(), "\ncompiler ", Compiler(), "\nISA ",
                isas, "\n");
}

}  // namespace lfm::cli
