// Tokenizers for tests, read from a folder in the Hugging Face layout.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/file.h"
#include "base/json.h"
#include "text/tokenizer.h"

namespace lfm::test {

inline Json ReadJsonFile(const std::string& path) {
  auto text = ReadWholeFile(path);
  if (!text.ok()) return Json();
  auto json = ParseJson(*text);
  EXPECT_TRUE(json.ok()) << path << ": " << (json.ok() ? "" : json.error().message);
  return json.ok() ? std::move(json).value() : Json();
}

// The tokenizer of a folder; a null configuration when tokenizer_config.json is absent.
inline Result<text::Tokenizer> LoadTokenizer(const std::string& folder) {
  auto spec =
      text::SpecFromTokenizerJson(ReadJsonFile(folder + "/tokenizer.json"), ReadJsonFile(folder + "/tokenizer_config.json"));
  if (!spec.ok()) return spec.error();
  return text::Tokenizer::Create(std::move(spec).value());
}

}  // namespace lfm::test
