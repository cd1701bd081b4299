// What a user may call a model: "LiquidAI/LFM2-8B-A1B-GGUF:Q4_K_M", a page of the hub, a plain address, a
// path, or a short name such as "lfm2-8b-a1b".
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lfm::hub {

struct ModelName {
  enum class Kind {
    kRepo,  // a repository of the hub: repo, revision, and perhaps type or file
    kUrl,   // a file at a plain address: url, perhaps sha256
    kPath,  // a file or folder on this machine: path
  };
  Kind kind = Kind::kPath;
  std::string repo;               // "LiquidAI/LFM2-8B-A1B-GGUF"
  std::string revision = "main";  // branch, tag, "refs/pr/1" or commit
  std::string type;               // "Q4_K_M" as written, upper-cased; empty: choose
  std::string file;               // one file of the repository; empty: choose
  std::string url;                // without its fragment
  std::string sha256;             // from "#sha256=..." of an address; empty: not known
  std::string path;

  // The full name, which ParseModelName reads back: "org/name:TYPE@rev".
  std::string ToString() const;
};

// Reads a name. `endpoint` is the hub's address: pages of it (and of huggingface.co and hf.co) name
// repositories. Forms: org/name[:TYPE][@REV], org/name/FILE[@REV], short[:TYPE][@REV], [https://]hf.co/...,
// hf://..., http(s)://HOST/FILE[#sha256=HEX], file://PATH, and paths that begin with "/", "./", "../" or "~/"
// or end in .gguf.
Result<ModelName> ParseModelName(std::string_view text, std::string_view endpoint = "https://huggingface.co");

struct ShortName {
  std::string_view name;  // "lfm2-8b-a1b"
  std::string_view repo;  // its GGUF repository
};
// The short names that ParseModelName knows, in the order for `lfm list --known` and messages.
std::span<const ShortName> ShortNames();

// Refuses names of files that could leave their folder or that no sane repository has: absolute, "..",
// backslashes, control characters, empty or overlong parts.
Status CheckRepoFile(std::string_view path);
Status CheckRepoId(std::string_view repo);
Status CheckRevision(std::string_view revision);

// Whether a file's name is that of a GGUF file; capitals count too.
bool EndsInGguf(std::string_view path);

// The type that a GGUF file's name tells: "LFM2-8B-A1B-Q4_K_M.gguf" -> "Q4_K_M"; "" when it tells none.
std::string TypeOfFileName(std::string_view path);

// A shard's place in its set: "x-00002-of-00003.gguf" -> {"x", 2, 3}; {stem, 1, 1} for other files.
struct Shard {
  std::string stem;
  int index = 1, count = 1;
};
Shard ShardOfFileName(std::string_view path);

std::string UpperCase(std::string_view text);

}  // namespace lfm::hub
