#include "quant/synth_vocabulary.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/byte_alphabet.h"
#include "base/strings.h"
#include "formats/gguf_types.h"

namespace lfm::quant {
namespace {

// Letters by their frequency in English, so that combinations in this order are plausible ones first.
constexpr std::string_view kLetters = "etaoinsrhldcumfpgwybvkxjqz";

constexpr std::string_view kWords =
    "the of and to in is that for it you was with on as are be this have from or had by not but what all "
    "were we when "
    "your can said there use an each which she do how their if will up other about out many then them these "
    "so some "
    "her would make like him into time has look two more write go see number no way could people my than "
    "first water "
    "been call who its now find long down day did get come made may part over new sound take only little "
    "work know "
    "place year live me back give most very after thing our just name good sentence man think say great "
    "where help "
    "through much before line right too mean old any same tell boy follow came want show also around form "
    "three small "
    "set put end does another well large must big even such because turn here why ask went men read need "
    "land "
    "different home us move try kind hand picture again change off play spell air away animal house point "
    "page letter "
    "mother answer found study still learn should world user system assistant tool function return value "
    "string list "
    "model token text data file code class public static const void int float double import print def self "
    "true false "
    "null none json name type error message content role question please number result example input output "
    "test";

// The letter of GPT-2's alphabet for a byte.
std::string LetterOf(unsigned byte) {
  const char c = static_cast<char>(byte);
  return AlphabetOfBytes({&c, 1});
}

// Bytes in the order of GPT-2's table: the printable ones first.
std::array<unsigned, 256> ByteOrder() {
  std::array<unsigned, 256> order{};
  for (unsigned byte = 0; byte < 256; ++byte) order[byte] = byte;
  std::stable_partition(order.begin(), order.end(),
                        [](unsigned byte) { return StandsForItself(static_cast<unsigned char>(byte)); });
  return order;
}

// Collects merges whose unions are new, up to a wanted number.
class MergeList {
 public:
  explicit MergeList(size_t n_wanted) : n_wanted_(n_wanted) {}

  bool full() const { return merged.size() >= n_wanted_; }

  // A token may have several merges that make it, so that more texts reach it.
  void Add(const std::string& left, const std::string& right) {
    const std::string both = left + right;
    if (!tokens_.contains(both)) {
      if (full()) return;
      tokens_.insert(both);
      merged.push_back(both);
    }
    std::string pair = left + " " + right;
    if (pairs_.emplace(pair, merges.size()).second) merges.push_back(std::move(pair));
  }

  // Merges that make `word` (given as the alphabet's letters) one token, continuing from how it splits today.
  void AddWord(std::vector<std::string> parts) {
    for (;;) {
      size_t best = std::numeric_limits<size_t>::max(), at = 0;
      for (size_t i = 0; i + 1 < parts.size(); ++i) {
        const auto found = pairs_.find(parts[i] + " " + parts[i + 1]);
        if (found != pairs_.end() && found->second < best) best = found->second, at = i;
      }
      if (best == std::numeric_limits<size_t>::max()) break;
      parts[at] += parts[at + 1];
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
    for (size_t i = 1; i < parts.size(); ++i) {
      Add(parts[0], parts[i]);
      parts[0] += parts[i];
    }
  }

  std::vector<std::string> merged, merges;  // in the order of their making

 private:
  size_t n_wanted_;
  std::unordered_set<std::string> tokens_;
  std::unordered_map<std::string, size_t> pairs_;  // the rank of each "left right"
};

std::string Upper(char letter) { return std::string(1, static_cast<char>(letter - 'a' + 'A')); }

void AddCombinations(MergeList& list, const std::string& space) {
  const auto s = [](char c) { return std::string(1, c); };
  for (const char a : kLetters) list.Add(space, s(a));
  for (const char a : kLetters) {
    for (const char b : kLetters) list.Add(s(a), s(b));
  }
  for (const char a : kLetters) list.Add(space, Upper(a));
  for (size_t begin = 0; begin < kWords.size();) {
    const size_t end = std::min(kWords.find(' ', begin), kWords.size());
    std::vector<std::string> letters;
    for (const char c : kWords.substr(begin, end - begin)) letters.push_back(s(c));
    list.AddWord(letters);
    letters.insert(letters.begin(), space);
    list.AddWord(letters);
    begin = end + 1;
  }
  for (const char a : kLetters) {
    for (const char b : kLetters) {
      list.Add(space + a, s(b));
      list.Add(Upper(a), s(b));
      list.Add(space + Upper(a), s(b));
    }
  }
  // Three letters after one another, then four: unions of what exists.
  for (const char a : kLetters) {
    for (const char b : kLetters) {
      for (const char c : kLetters) {
        list.Add(std::string{a, b}, s(c));
        list.Add(space + a + b, s(c));
        list.Add(Upper(a) + b, s(c));
      }
    }
  }
  for (const char a : kLetters) {
    for (const char b : kLetters) {
      for (const char c : kLetters) {
        for (const char d : kLetters) {
          if (list.full()) return;
          list.Add(std::string{a, b}, std::string{c, d});
        }
      }
    }
  }
}

std::vector<std::string> MakeMerges(size_t n, std::vector<std::string>& merges) {
  const std::string space = LetterOf(' '), newline = LetterOf('\n');
  MergeList list(n);
  list.Add(newline, newline);
  list.Add(space, space);
  list.Add(newline + newline, newline);
  list.Add(space + space, space);
  list.Add(space + space, space + space);
  list.Add(space + space + space + space, space + space + space + space);
  AddCombinations(list, space);
  merges = std::move(list.merges);
  return std::move(list.merged);
}

// Tokens by id, with what is not set yet.
class Table {
 public:
  explicit Table(size_t n) {
    vocabulary.tokens.resize(n);
    vocabulary.types.assign(n, static_cast<int32_t>(formats::GgufTokenType::kUnused));
  }

  void Set(size_t id, std::string token, formats::GgufTokenType type) {
    vocabulary.tokens[id] = std::move(token);
    vocabulary.types[id] = static_cast<int32_t>(type);
  }

  void SetBytes(size_t first) {
    for (const unsigned byte : ByteOrder()) Set(first++, LetterOf(byte), formats::GgufTokenType::kNormal);
  }

  // Merged tokens into the free ids of [begin, end), those of `fixed` at their own. Creates as many merges as
  // fit.
  void SetMerged(size_t begin, size_t end, const std::unordered_map<std::string, size_t>& fixed) {
    size_t n_free = 0;
    for (size_t id = begin; id < end; ++id) n_free += vocabulary.tokens[id].empty();
    const auto merged = MakeMerges(n_free, vocabulary.merges);
    for (const std::string& token : merged) {
      const auto place = fixed.find(token);
      if (place != fixed.end()) Set(place->second, token, formats::GgufTokenType::kNormal);
    }
    size_t id = begin;
    for (const std::string& token : merged) {
      if (fixed.contains(token)) continue;
      while (!vocabulary.tokens[id].empty()) ++id;
      Set(id, token, formats::GgufTokenType::kNormal);
    }
  }

  void FillUnused() {
    for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
      if (vocabulary.tokens[id].empty()) vocabulary.tokens[id] = StrCat("[PAD", id, "]");
    }
  }

  SynthVocabulary vocabulary;
};

}  // namespace

SynthVocabulary MakeSynthVocabulary65536() {
  constexpr std::string_view kSpecial[] = {"pad",
                                           "startoftext",
                                           "endoftext",
                                           "fim_pre",
                                           "fim_mid",
                                           "fim_suf",
                                           "im_start",
                                           "im_end",
                                           "tool_list_start",
                                           "tool_list_end",
                                           "tool_call_start",
                                           "tool_call_end",
                                           "tool_response_start",
                                           "tool_response_end"};
  constexpr std::string_view kLate[] = {"cot_start", "cot_end", "review_start", "review_end", "file_start", "file_end"};
  constexpr size_t kFirstByte = 510, kFirstMerged = 766, kFirstLate = 64394;
  Table table(65536);
  for (size_t i = 0; i < std::size(kSpecial); ++i) {
    table.Set(i, StrCat("<|", kSpecial[i], "|>"), formats::GgufTokenType::kControl);
  }
  for (size_t id = 14; id < 501; ++id) {
    table.Set(id, StrCat("<|reserved_", id - 10, "|>"),
              id < 16 ? formats::GgufTokenType::kNormal : formats::GgufTokenType::kControl);
  }
  table.SetBytes(kFirstByte);
  table.Set(64011, "Mathias", formats::GgufTokenType::kUserDefined);
  table.Set(64014, "python", formats::GgufTokenType::kUserDefined);
  for (size_t i = 0; i < std::size(kLate); ++i) {
    table.Set(kFirstLate + i, StrCat("<|", kLate[i], "|>"), formats::GgufTokenType::kControl);
  }
  const std::string space = LetterOf(' ');
  table.SetMerged(kFirstMerged, kFirstLate,
                  {{space + space, 767}, {space + space + space, 861}, {"user", 6423}, {"assistant", 64015}});
  table.FillUnused();
  table.vocabulary.bos = 1, table.vocabulary.eos = 7, table.vocabulary.pad = 0;
  return std::move(table.vocabulary);
}

SynthVocabulary MakeSynthVocabulary128000() {
  constexpr std::string_view kSpecial[] = {"<|pad|>",
                                           "<|startoftext|>",
                                           "<|endoftext|>",
                                           "<|fim_pre|>",
                                           "<|fim_mid|>",
                                           "<|fim_suf|>",
                                           "<|im_start|>",
                                           "<|im_end|>",
                                           "<think>",
                                           "</think>",
                                           "<|tool_list_start|>",
                                           "<|tool_list_end|>",
                                           "<|tool_call_start|>",
                                           "<|tool_call_end|>"};
  constexpr size_t kFirstSpecial = 124893;
  Table table(128000);
  table.SetBytes(0);  // where the real vocabulary has them is not known
  for (size_t i = 0; i < std::size(kSpecial); ++i) {
    table.Set(kFirstSpecial + i, std::string(kSpecial[i]), formats::GgufTokenType::kControl);
  }
  table.SetMerged(256, kFirstSpecial, {});
  table.FillUnused();
  table.vocabulary.bos = 124894, table.vocabulary.eos = 124900, table.vocabulary.pad = 124893;
  return std::move(table.vocabulary);
}

}  // namespace lfm::quant
