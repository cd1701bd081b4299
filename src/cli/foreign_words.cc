#include "cli/foreign_words.h"

#include <algorithm>
#include <vector>

#include "cli/commands.h"

namespace lfm::cli {
namespace {

constexpr std::string_view kCpu = "lfm computes on the CPU; leave it away";
constexpr std::string_view kBySelf = "lfm does this by itself; leave it away";
constexpr std::string_view kNotOffered = "lfm does not offer it; docs/sampling.md lists what there is";
constexpr std::string_view kTemplate = "the model's template is used; --template FILE gives another";
constexpr std::string_view kChat = "the chat opens where there is no prompt; leave it away";
constexpr std::string_view kName = "-m takes the name of a model on the hub: -m ORG/NAME:TYPE";
constexpr std::string_view kPositions = "positions are rotated as the model was made for; leave it away";

struct Hint {
  std::string_view word, hint;
};
constexpr Hint kFlags[] = {
    {"-ngl", kCpu},
    {"--gpu-layers", kCpu},
    {"--n-gpu-layers", kCpu},
    {"-dev", kCpu},
    {"--device", kCpu},
    {"--ctx-size", "use -c N"},
    {"--n-ctx", "use -c N"},
    {"--n-predict", "use -n N"},
    {"--predict", "use -n N"},
    {"--max-new-tokens", "use -n N"},
    {"--threads-batch", "use -t N"},
    {"-tb", "use -t N"},
    {"-f", "pipe the text in: lfm run ... < FILE"},
    {"--file", "pipe the text in: lfm run ... < FILE"},
    {"-sys", "use --system TEXT"},
    {"--system-prompt", "use --system TEXT"},
    {"--chat-template", kTemplate},
    {"--chat-template-file", kTemplate},
    {"--jinja", kTemplate},
    {"-cnv", kChat},
    {"--conversation", kChat},
    {"-i", kChat},
    {"--interactive", kChat},
    {"--interactive-first", kChat},
    {"-no-cnv", "use --raw"},
    {"--no-conversation", "use --raw"},
    {"-ctk", "use --kv-type TYPE"},
    {"-ctv", "use --kv-type TYPE"},
    {"--cache-type-k", "use --kv-type TYPE"},
    {"--cache-type-v", "use --kv-type TYPE"},
    {"-fa", kBySelf},
    {"--flash-attn", kBySelf},
    {"--mlock", kBySelf},
    {"--no-mmap", kBySelf},
    {"--mmap", kBySelf},
    {"--numa", kBySelf},
    {"--no-warmup", kBySelf},
    {"--color", kBySelf},
    {"--stream", kBySelf},
    {"--no-display-prompt", kBySelf},
    {"--log-disable", kBySelf},
    {"-b", kBySelf},
    {"--batch-size", kBySelf},
    {"-ub", kBySelf},
    {"--ubatch-size", kBySelf},
    {"-hf", kName},
    {"-hfr", kName},
    {"--hf-repo", kName},
    {"-hff", "use -m ORG/NAME/FILE.gguf"},
    {"--hf-file", "use -m ORG/NAME/FILE.gguf"},
    {"-mu", "lfm pull URL fetches it, and -m takes the same address"},
    {"--model-url", "lfm pull URL fetches it, and -m takes the same address"},
    {"-j", "use --schema FILE"},
    {"--json-schema", "use --schema FILE"},
    {"--grammar-file", "use --grammar FILE"},
    {"-sp", "use --special"},
    {"-v", "use --stats for speeds"},
    {"--verbose", "use --stats for speeds"},
    {"--repeat-last-n", "penalties count the whole text; leave it away"},
    {"--mirostat", kNotOffered},
    {"--dry-multiplier", kNotOffered},
    {"--xtc-probability", kNotOffered},
    {"--dynatemp-range", kNotOffered},
    {"--rope-scaling", kPositions},
    {"--rope-scale", kPositions},
    {"--rope-freq-base", kPositions},
    {"--rope-freq-scale", kPositions},
};

constexpr Hint kWords[] = {
    {"chat", "run"},     {"cli", "run"},        {"generate", "run"},    {"complete", "run"},     {"ask", "run"},
    {"server", "serve"}, {"start", "serve"},    {"ls", "list"},         {"models", "list"},      {"download", "pull"},
    {"fetch", "pull"},   {"get", "pull"},       {"delete", "rm"},       {"remove", "rm"},        {"show", "info"},
    {"inspect", "info"}, {"ppl", "perplexity"}, {"benchmark", "bench"}, {"detok", "detokenize"},
};

// How many letters must be changed, added or taken away.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view HintForFlag(std::string_view flag) {
  flag = flag.substr(0, flag.find('='));
  const auto found = std::find_if(std::begin(kFlags), std::end(kFlags), [&](const Hint& entry) { return entry.word == flag; });
  return found == std::end(kFlags) ? "" : found->hint;
}

std::string_view CommandMeantBy(std::string_view word) {
  for (const Hint& entry : kWords) {
    if (entry.word == word) return entry.hint;
  }
  if (word.size() < 3 || word.size() > 20) return "";
  std::string_view best;
  size_t least = word.size() < 5 ? 3 : 4;  // less than this is near
  for (const CommandEntry& entry : Commands()) {
    const size_t distance = Distance(word, entry.name);
    if (distance < std::min(least, word.size())) least = distance, best = entry.name;
  }
  return best;
}

}  // namespace lfm::cli
