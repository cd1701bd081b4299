// Encoding and decoding. Text is cut at added tokens, then into pieces; each piece is looked up or merged.
#include "text/tokenizer.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/strings.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/piece_cache.h"
#include "text/splitter.h"
#include "text/string_index.h"

namespace lfm::text {
namespace {

constexpr size_t kMaxTokens = size_t{1} << 22;
constexpr size_t kMaxTokenBytes = size_t{1} << 30;  // of all tokens together
constexpr size_t kMaxPieceBytes = size_t{1} << 30;  // longer ones are cut: what merging counts with 32 bits
constexpr size_t kCacheFrom = 4096;                 // bytes of text from which a cache of pieces pays

// Special tokens that the text of an answer shows: what a reader or a parser of tool calls needs.
constexpr std::string_view kShownSpecials[] = {"<|tool_call_start|>", "<|tool_call_end|>", "<think>", "</think>"};

}  // namespace

struct Tokenizer::Tables {
  std::string bytes;              // of all tokens, one after the other
  std::vector<uint32_t> offsets;  // [n_tokens + 1], into bytes
  std::vector<TokenKind> kinds;
  std::vector<bool> shown;
  StringIndex pieces;  // bytes -> id, of the BPE vocabulary
  StringIndex added;   // content -> id, of the added tokens
  std::vector<AddedToken> added_tokens;
  AddedTokenMatcher matcher;
  Bpe bpe;
  SplitRule split = SplitRule::kLlama3;
  bool ignore_merges = false, split_special = false;
  std::vector<int32_t> prefix, suffix, end_of_generation;
  std::optional<int32_t> bos, eos, pad;
  std::vector<std::pair<std::string, std::string>> special_names;

  std::string_view BytesOf(size_t id) const { return std::string_view(bytes).substr(offsets[id], offsets[id + 1] - offsets[id]); }
  bool Holds(int32_t id) const { return id >= 0 && static_cast<size_t>(id) < kinds.size(); }

  Status AddTokens(const std::vector<SpecToken>& tokens);
  Status AddAddedTokens(std::vector<AddedToken> tokens);
  Status CheckIds(const TokenizerSpec& spec) const;
  void EncodePart(std::string_view text, PieceCache* cache, Bpe::Scratch& scratch, std::vector<int32_t>& out) const;
};

Status Tokenizer::Tables::AddTokens(const std::vector<SpecToken>& tokens) {
  if (tokens.size() > kMaxTokens) {
    return Error{ErrorCode::kLimit,
                 StrCat("the tokenizer has ", tokens.size(), " tokens; at most ", kMaxTokens, " are supported")};
  }
  size_t n_bytes = 0, n_pieces = 0;
  for (const SpecToken& token : tokens) n_bytes += token.bytes.size(), n_pieces += token.in_model;
  if (n_bytes > kMaxTokenBytes) return Error{ErrorCode::kLimit, "the tokenizer's tokens are longer than 1 GiB together"};
  bytes.reserve(n_bytes);
  offsets.reserve(tokens.size() + 1);
  kinds.reserve(tokens.size());
  offsets.push_back(0);
  for (const SpecToken& token : tokens) {
    if (token.kind != TokenKind::kUnused) bytes += token.bytes;
    offsets.push_back(static_cast<uint32_t>(bytes.size()));
    kinds.push_back(token.kind);
  }
  pieces = StringIndex(n_pieces, tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (!tokens[id].in_model || kinds[id] == TokenKind::kUnused || BytesOf(id).empty()) continue;
    const int32_t other = pieces.Insert(BytesOf(id), static_cast<int32_t>(id));
    if (other >= 0) {
      return Error{ErrorCode::kCorrupt, StrCat("tokens ", other, " and ", id, " have the same text ", Quote(BytesOf(id)))};
    }
  }
  return Ok();
}

Status Tokenizer::Tables::AddAddedTokens(std::vector<AddedToken> tokens) {
  // Entries without text can never be found.
  std::erase_if(tokens, [](const AddedToken& token) { return token.content.empty(); });
  for (AddedToken& token : tokens) {
    token.of_answers = std::find(std::begin(kShownSpecials), std::end(kShownSpecials), token.content) != std::end(kShownSpecials);
  }
  added_tokens = std::move(tokens);
  added = StringIndex(added_tokens.size(), kinds.size());
  shown.assign(kinds.size(), true);
  for (size_t id = 0; id < kinds.size(); ++id) shown[id] = kinds[id] != TokenKind::kSpecial;
  for (const AddedToken& token : added_tokens) {
    if (!Holds(token.id)) {
      return Error{ErrorCode::kCorrupt,
                   StrCat("added token ", Quote(token.content), " has id ", token.id, ", which is no token")};
    }
    if (token.content.size() > AddedTokenMatcher::kMaxBytes) {
      return Error{ErrorCode::kLimit,
                   StrCat("added token ", token.id, " is longer than ", AddedTokenMatcher::kMaxBytes, " bytes")};
    }
    const int32_t other = added.Insert(token.content, token.id);
    if (other >= 0) {
      return Error{ErrorCode::kCorrupt,
                   StrCat("added tokens ", other, " and ", token.id, " have the same text ", Quote(token.content))};
    }
    if (token.of_answers) shown[static_cast<size_t>(token.id)] = true;
  }
  matcher = AddedTokenMatcher(added_tokens);
  return Ok();
}

Status Tokenizer::Tables::CheckIds(const TokenizerSpec& spec) const {
  const auto check = [this](int64_t id, std::string_view what) -> Status {
    if (id >= 0 && static_cast<size_t>(id) < kinds.size()) return Ok();
    return Error{ErrorCode::kCorrupt, StrCat(what, " is token ", id, ", but the tokenizer has ", kinds.size(), " tokens")};
  };
  for (size_t i = 0; i < spec.merges.size(); ++i) {
    const auto& [left, right, result] = spec.merges[i];
    if (!Holds(left) || !Holds(right) || !Holds(result)) {
      return Error{ErrorCode::kCorrupt, StrCat("merge ", i, " names a token beyond the ", kinds.size(), " there are")};
    }
  }
  if (spec.unknown) LFM_RETURN_IF_ERROR(check(*spec.unknown, "the unknown token"));
  if (spec.bos) LFM_RETURN_IF_ERROR(check(*spec.bos, "the bos token"));
  if (spec.eos) LFM_RETURN_IF_ERROR(check(*spec.eos, "the eos token"));
  if (spec.pad) LFM_RETURN_IF_ERROR(check(*spec.pad, "the padding token"));
  for (const int32_t id : spec.prefix) LFM_RETURN_IF_ERROR(check(id, "a token that is put before the text"));
  for (const int32_t id : spec.suffix) LFM_RETURN_IF_ERROR(check(id, "a token that is put after the text"));
  return Ok();
}

Result<Tokenizer> Tokenizer::Create(TokenizerSpec spec) {
  auto tables = std::make_unique<Tables>();
  LFM_RETURN_IF_ERROR(tables->AddTokens(spec.tokens));
  LFM_RETURN_IF_ERROR(tables->AddAddedTokens(std::move(spec.added)));
  LFM_RETURN_IF_ERROR(tables->CheckIds(spec));
  std::array<int32_t, 256> byte_ids;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(static_cast<unsigned char>(byte));
    byte_ids[static_cast<size_t>(byte)] = tables->pieces.Find(std::string_view(&c, 1));
  }
  tables->bpe = Bpe(spec.merges, byte_ids, spec.unknown, spec.fuse_unknown);
  tables->split = spec.split;
  tables->ignore_merges = spec.ignore_merges;
  tables->split_special = spec.split_special;
  tables->prefix = std::move(spec.prefix);
  tables->suffix = std::move(spec.suffix);
  tables->bos = spec.bos, tables->eos = spec.eos, tables->pad = spec.pad;
  tables->special_names = std::move(spec.special_names);
  Tokenizer tokenizer(std::move(tables));
  tokenizer.AddEndOfGeneration(spec.end_of_generation);
  return tokenizer;
}

Tokenizer::Tokenizer(std::unique_ptr<Tables> tables) : tables_(std::move(tables)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

// Appends the tokens of text that holds no added token.
void Tokenizer::Tables::EncodePart(std::string_view text, PieceCache* cache, Bpe::Scratch& scratch,
                                   std::vector<int32_t>& out) const {
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(EndOfPiece(split, text, begin), begin + kMaxPieceBytes);
    const std::string_view piece = text.substr(begin, end - begin);
    begin = end;
    if (cache != nullptr && cache->Append(piece, out)) continue;
    const size_t n_before = out.size();
    const int32_t whole = ignore_merges || piece.size() == 1 ? pieces.Find(piece) : -1;
    if (whole >= 0) {
      out.push_back(whole);
    } else {
      bpe.Encode(piece, scratch, out);
    }
    if (cache != nullptr) cache->Remember(piece, std::span(out).subspan(n_before));
  }
}

void Tokenizer::Encode(std::string_view text, bool add_special, bool parse_special, std::vector<int32_t>& out) const {
  const Tables& t = *tables_;
  if (add_special) out.insert(out.end(), t.prefix.begin(), t.prefix.end());
  Append(text, parse_special ? ParseSpecial::kAll : ParseSpecial::kNone, {}, out);
  if (add_special) out.insert(out.end(), t.suffix.begin(), t.suffix.end());
}

std::vector<int32_t> Tokenizer::EncodeMixed(std::string_view text, std::span<const ParseSpan> spans) const {
  std::vector<int32_t> ids;
  Append(text, ParseSpecial::kAll, spans, ids);
  return ids;
}

void Tokenizer::Append(std::string_view text, ParseSpecial otherwise, std::span<const ParseSpan> spans,
                       std::vector<int32_t>& out) const {
  const Tables& t = *tables_;
  std::vector<TextPart> parts;
  if (t.split_special) otherwise = ParseSpecial::kNone, spans = {};
  t.matcher.Split(text, otherwise, spans, parts);
  std::unique_ptr<PieceCache> cache;
  if (text.size() >= kCacheFrom) cache = std::make_unique<PieceCache>();
  Bpe::Scratch scratch;
  for (const TextPart& part : parts) {
    if (part.id >= 0) {
      out.push_back(part.id);
    } else {
      t.EncodePart(part.text, cache.get(), scratch, out);
    }
  }
}

std::vector<int32_t> Tokenizer::Encode(std::string_view text, bool add_special, bool parse_special) const {
  std::vector<int32_t> ids;
  Encode(text, add_special, parse_special, ids);
  return ids;
}

std::string_view Tokenizer::Bytes(int32_t id) const {
  return tables_->Holds(id) ? tables_->BytesOf(static_cast<size_t>(id)) : std::string_view();
}

std::string Tokenizer::Decode(std::span<const int32_t> ids) const {
  std::string out;
  for (const int32_t id : ids) out += Bytes(id);
  return out;
}

TokenKind Tokenizer::KindOf(int32_t id) const {
  return tables_->Holds(id) ? tables_->kinds[static_cast<size_t>(id)] : TokenKind::kUnused;
}
bool Tokenizer::IsSpecial(int32_t id) const { return KindOf(id) == TokenKind::kSpecial; }
bool Tokenizer::IsShown(int32_t id) const { return tables_->Holds(id) && tables_->shown[static_cast<size_t>(id)]; }
bool Tokenizer::IsEndOfGeneration(int32_t id) const {
  return std::binary_search(tables_->end_of_generation.begin(), tables_->end_of_generation.end(), id);
}

std::optional<int32_t> Tokenizer::Find(std::string_view token_text) const {
  const int32_t added = tables_->added.Find(token_text);
  const int32_t id = added >= 0 ? added : tables_->pieces.Find(token_text);
  return id >= 0 ? std::optional(id) : std::nullopt;
}

int32_t Tokenizer::n_tokens() const { return static_cast<int32_t>(tables_->kinds.size()); }
std::optional<int32_t> Tokenizer::bos() const { return tables_->bos; }
std::optional<int32_t> Tokenizer::eos() const { return tables_->eos; }
std::optional<int32_t> Tokenizer::pad() const { return tables_->pad; }
std::span<const int32_t> Tokenizer::end_of_generation() const { return tables_->end_of_generation; }
bool Tokenizer::adds_bos() const { return tables_->bos && !tables_->prefix.empty() && tables_->prefix.front() == *tables_->bos; }
std::span<const std::pair<std::string, std::string>> Tokenizer::special_names() const { return tables_->special_names; }

void Tokenizer::AddEndOfGeneration(std::span<const int32_t> ids) {
  auto& all = tables_->end_of_generation;
  all.insert(all.end(), ids.begin(), ids.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
}

}  // namespace lfm::text
