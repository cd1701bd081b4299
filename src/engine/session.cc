#include "engine/session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/byte_reader.h"
#include "base/hash.h"
#include "base/strings.h"
#include "model/memory_check.h"

namespace lfm::engine {
namespace {

constexpr uint64_t kSavedMagic = 0x32304E53534D464C;  // "LFMSSN02"

template <typename T>
void Put(std::vector<std::byte>& out, std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void PutCount(std::vector<std::byte>& out, uint64_t value) { Put(out, std::span<const uint64_t>(&value, 1)); }

// A vector of n values from the bytes at the reader.
template <typename T>
Result<std::vector<T>> TakeVector(ByteReader& reader, uint64_t n, std::string_view what) {
  LFM_RETURN_IF_ERROR(reader.CanHold(n, sizeof(T), what));
  LFM_TRY(const auto bytes, reader.ReadBytes(n * sizeof(T), what));
  std::vector<T> values(static_cast<size_t>(n));
  if (n > 0) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

uint64_t HashOf(std::span<const int32_t> ids, std::span<const float> logits) {
  return Hash64(std::as_bytes(logits), Hash64(std::as_bytes(ids)));
}

}  // namespace

Session::Session(std::shared_ptr<LoadedModel> model, int64_t n_ctx, int64_t n_chunk)
    : model_(std::move(model)), n_ctx_(n_ctx), n_chunk_(n_chunk), sequence_(model_->pages()) {}

Result<std::unique_ptr<Session>> Session::Create(std::shared_ptr<LoadedModel> model, Threads& threads,
                                                 const SessionOptions& options) {
  const int64_t n_max = model->config().context_length;
  if (options.n_ctx < 0 || options.n_ctx > n_max) {
    return Error{ErrorCode::kInvalidArgument, StrCat("a context of ", options.n_ctx,
                                                     " positions was asked for, but "
                                                     "this model was made for 1 to ",
                                                     n_max)};
  }
  if (options.n_chunk < 1) {
    return Error{ErrorCode::kInvalidArgument, StrCat("the chunk is ", options.n_chunk, " tokens; it must be positive")};
  }
  // A context that nobody asked for is taken as far as it gets.
  if (options.n_ctx > 0) LFM_RETURN_IF_ERROR(model::CheckContextMemory(model->pages().layout(), options.n_ctx));
  const int64_t n_ctx = options.n_ctx == 0 ? n_max : options.n_ctx;
  const int64_t n_chunk = std::min(options.n_chunk, n_ctx);
  std::unique_ptr<Session> session(new Session(std::move(model), n_ctx, n_chunk));
  LFM_TRY(session->stepper_, model::Stepper::Create(session->model_->network(), threads, {n_chunk, 1, n_ctx}));
  session->logits_.reserve(static_cast<size_t>(session->model_->config().vocab_size));
  return session;
}

Status Session::CheckTokens(std::span<const int32_t> ids, int64_t n_before) const {
  LFM_RETURN_IF_ERROR(stepper_->CheckIds(ids));
  const auto n = static_cast<int64_t>(ids.size());
  if (n > n_ctx_ - n_before) {
    return Error{ErrorCode::kLimit,
                 StrCat(n_before + n, " tokens exceed the context of ", n_ctx_,
                        "; shorten the prompt or choose a larger context, up to ", model_->config().context_length)};
  }
  return Ok();
}

Status Session::Read(std::span<const int32_t> ids, std::span<const int32_t> wanted) {
  LFM_RETURN_IF_ERROR(CheckTokens(ids, n_tokens()));
  LFM_RETURN_IF_ERROR(stepper_->CheckIds(wanted));
  return ReadChecked(ids, wanted);
}

Status Session::ReadChecked(std::span<const int32_t> ids, std::span<const int32_t> wanted) {
  stepper_->set_profile(profile);
  const auto n = static_cast<int64_t>(ids.size());
  for (int64_t done = 0; done < n;) {
    if (cancel && cancel->load(std::memory_order_relaxed)) return Error{ErrorCode::kCancelled, "interrupted"};
    const auto chunk = ids.subspan(static_cast<size_t>(done), static_cast<size_t>(std::min(n_chunk_, n - done)));
    done += static_cast<int64_t>(chunk.size());
    const bool is_last = done == n;
    ForgetLogits();
    const model::StepItem item{&sequence_, chunk, is_last ? model::Logits::kLast : model::Logits::kNone, wanted};
    LFM_RETURN_IF_ERROR(stepper_->Step({&item, 1}));
    LFM_RETURN_IF_ERROR(stepper_->ItemStatus(0));
    if (is_last) {
      const auto row = stepper_->logits(0);
      (wanted.empty() ? logits_ : few_logits_).assign(row.begin(), row.end());
    }
    if (on_progress) on_progress(done, n);
  }
  return Ok();
}

Result<int64_t> Session::ReadPrompt(std::span<const int32_t> ids) {
  if (ids.empty()) return Error{ErrorCode::kInvalidArgument, "the prompt is empty: there is nothing to continue"};
  LFM_RETURN_IF_ERROR(CheckTokens(ids, 0));
  const int64_t common = sequence_.CommonPrefix(ids);
  const auto n = static_cast<int64_t>(ids.size());
  if (common == n && n == n_tokens() && !logits_.empty()) return n;
  // The last token is always read anew: its logits are wanted.
  LFM_RETURN_IF_ERROR(CutAtOrBelow(std::min(common, n - 1)));
  const int64_t kept = n_tokens();
  LFM_RETURN_IF_ERROR(ReadChecked(ids.subspan(static_cast<size_t>(kept))));
  return kept;
}

Status Session::CutAtOrBelow(int64_t n) {
  if (n >= n_tokens()) return Ok();
  LFM_RETURN_IF_ERROR(sequence_.CutAtOrBelow(n));
  ForgetLogits();
  return Ok();
}

Status Session::Truncate(int64_t n) {
  if (n < 0 || n > n_tokens()) {
    return Error{ErrorCode::kInvalidArgument, StrCat("cannot cut a sequence of ", n_tokens(), " tokens back to ", n)};
  }
  if (n == n_tokens()) return Ok();
  const std::vector<int32_t> wanted(tokens().begin(), tokens().begin() + n);
  LFM_RETURN_IF_ERROR(CutAtOrBelow(n));
  LFM_RETURN_IF_ERROR(ReadChecked(std::span(wanted).subspan(static_cast<size_t>(n_tokens()))));
  return Ok();
}

void Session::Clear() {
  sequence_.Clear();
  ForgetLogits();
}

void Session::ForgetLogits() {
  logits_.clear();
  few_logits_.clear();
}

Result<std::unique_ptr<Session>> Session::Copy(Threads& threads) const {
  LFM_TRY(auto copy, Create(model_, threads, {n_ctx_, n_chunk_}));
  LFM_TRY(copy->sequence_, sequence_.Copy());
  copy->logits_ = logits_;
  copy->few_logits_ = few_logits_;
  return copy;
}

// Magic, counts of tokens, logits and state bytes, a hash of the first two, then these three. The state has a hash of its own.
std::vector<std::byte> Session::Save() const {
  const std::vector<std::byte> state = sequence_.state().Save();
  std::vector<std::byte> out;
  out.reserve(40 + tokens().size() * 4 + logits_.size() * 4 + state.size());
  PutCount(out, kSavedMagic);
  PutCount(out, tokens().size());
  PutCount(out, logits_.size());
  PutCount(out, state.size());
  PutCount(out, HashOf(tokens(), logits_));
  Put(out, tokens());
  Put(out, std::span<const float>(logits_));
  Put(out, std::span<const std::byte>(state));
  return out;
}

Status Session::Restore(std::span<const std::byte> bytes) {
  Clear();
  ByteReader reader(bytes);
  LFM_TRY(const auto magic, reader.Read<uint64_t>("the magic of a saved session"));
  if (magic != kSavedMagic) return Error{ErrorCode::kCorrupt, "at byte 0: these bytes are no saved session of lfm"};
  LFM_TRY(const auto n_ids, reader.Read<uint64_t>("the count of tokens"));
  LFM_TRY(const auto n_logits, reader.Read<uint64_t>("the count of logits"));
  LFM_TRY(const auto n_state, reader.Read<uint64_t>("the size of the state"));
  LFM_TRY(const auto hash, reader.Read<uint64_t>("the hash of tokens and logits"));
  LFM_TRY(auto ids, TakeVector<int32_t>(reader, n_ids, "tokens"));
  LFM_TRY(auto logits, TakeVector<float>(reader, n_logits, "logits"));
  LFM_TRY(const auto state, reader.ReadBytes(n_state, "the state"));
  if (hash != HashOf(ids, logits) || reader.left() != 0) {
    return Error{ErrorCode::kCorrupt, "the saved session is damaged: its tokens and logits fail their check"};
  }
  LFM_RETURN_IF_ERROR(CheckTokens(ids, 0));
  if (n_logits != 0 && n_logits != static_cast<uint64_t>(model_->config().vocab_size)) {
    return Error{ErrorCode::kCorrupt, StrCat("the saved session has ", n_logits,
                                             " logits, but this model's vocabulary "
                                             "is ",
                                             model_->config().vocab_size, "; it belongs to another model")};
  }
  LFM_RETURN_IF_ERROR(sequence_.Restore(std::move(ids), state));
  logits_ = std::move(logits);
  return Ok();
}

}  // namespace lfm::engine
