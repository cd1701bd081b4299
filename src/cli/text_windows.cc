#include "cli/text_windows.h"

#include "base/strings.h"
#include "cli/input.h"

namespace lfm::cli {

Result<std::vector<quant::Passage>> TextWindows(const engine::LoadedModel& loaded, const std::string& text,
                                                const std::string& path, int64_t n_ctx) {
  const text::Tokenizer& tokenizer = loaded.text().tokenizer;
  if (n_ctx > loaded.config().context_length) {
    return Error{ErrorCode::kLimit, StrCat("--ctx: ", n_ctx, " exceeds the model's context of ", loaded.config().context_length)};
  }
  LFM_RETURN_IF_ERROR(CheckTokenRoom(text, "--file " + path));
  const std::vector<int32_t> tokens = tokenizer.Encode(text, true, false);
  auto passages = quant::CutWindows(tokens, n_ctx, tokenizer.adds_bos() ? tokenizer.bos().value_or(-1) : -1);
  if (passages.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 StrCat("--file ", path, ": the text has ", tokens.size(), " tokens, less than one window of ", n_ctx,
                        "; give more text or a smaller --ctx")};
  }
  return passages;
}

}  // namespace lfm::cli
