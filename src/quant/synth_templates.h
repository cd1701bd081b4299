// The family's published chat templates, for model files that are made here.
#pragma once

#include <string_view>

namespace lfm::quant {

extern const std::string_view kChatTemplateLfm2A1b;   // LFM2-8B-A1B
extern const std::string_view kChatTemplateLfm25A1b;  // LFM2.5-8B-A1B

}  // namespace lfm::quant
