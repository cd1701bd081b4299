// What the files of the C ABI share: the handles, and the way from Result to status codes.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "engine/loaded_model.h"
#include "engine/sampler.h"
#include "engine/session.h"
#include "grammar/grammar.h"
#include "lfm/lfm.h"

// The variable of LFM_RETURN_IF_ERROR has the name of a type of the C ABI.
#pragma GCC diagnostic ignored "-Wshadow"

// NOLINTBEGIN(readability-identifier-naming): the names of the C ABI
struct lfm_model {
  std::shared_ptr<lfm::engine::LoadedModel> loaded;
  std::string info;  // JSON
  mutable std::mutex mutex;
  mutable std::shared_ptr<const lfm::grammar::Vocabulary> vocabulary;  // made for the first grammar
};

struct lfm_session {
  std::unique_ptr<lfm::Threads> threads;  // outlives the session
  std::unique_ptr<lfm::engine::Session> session;
};

struct lfm_sampler {
  lfm::engine::Sampler sampler;
  size_t n_vocab;
  std::vector<float> scratch;
};

struct lfm_grammar {
  std::shared_ptr<lfm::engine::LoadedModel> loaded;
  std::shared_ptr<const lfm::grammar::Grammar> grammar;
  std::shared_ptr<const lfm::grammar::Vocabulary> vocabulary;
};

struct lfm_grammar_state {
  std::shared_ptr<lfm::engine::LoadedModel> loaded;
  lfm::grammar::State state;
  std::shared_ptr<const lfm::grammar::Vocabulary> vocabulary;
};
// NOLINTEND(readability-identifier-naming)

namespace lfm::c_api {

constexpr int32_t kMaxThreads = 1024;

inline lfm_status StatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return LFM_INVALID_ARGUMENT;
    case ErrorCode::kNotFound: return LFM_NOT_FOUND;
    case ErrorCode::kCorrupt: return LFM_CORRUPT;
    case ErrorCode::kUnsupported: return LFM_UNSUPPORTED;
    case ErrorCode::kLimit: return LFM_LIMIT;
    case ErrorCode::kOutOfMemory: return LFM_OUT_OF_MEMORY;
    case ErrorCode::kIo: return LFM_IO;
    case ErrorCode::kBusy: return LFM_LIMIT;
    case ErrorCode::kCancelled:
    case ErrorCode::kDeadline: return LFM_CANCELLED;
    case ErrorCode::kInternal: return LFM_INTERNAL;
  }
  return LFM_INTERNAL;
}

inline lfm_status Fill(lfm_error* error, lfm_status status, std::string_view message) {
  if (error) {
    error->status = status;
    const std::string plain = Plain(message);  // hosts print it
    const size_t n = std::min(plain.size(), sizeof error->message - 1);
    std::memcpy(error->message, plain.data(), n);
    error->message[n] = 0;
  }
  return status;
}

// Runs a function that returns Status and turns whatever it reports or throws into a status.
template <typename Body>
lfm_status Guard(lfm_error* error, Body&& body) noexcept {
  try {
    const Status status = body();
    if (status.ok()) return Fill(error, LFM_OK, "");
    return Fill(error, StatusOf(status.error().code), status.error().message);
  } catch (const std::bad_alloc&) {
    return Fill(error, LFM_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& caught) {
    return Fill(error, LFM_INTERNAL, caught.what());
  } catch (...) {
    return Fill(error, LFM_INTERNAL, "unknown error in a callback");
  }
}

inline Error NullPointer(const char* name) { return {ErrorCode::kInvalidArgument, StrCat(name, " is NULL")}; }

// The caller's struct of `size` bytes over our defaults: members that it does not know keep them.
template <typename T>
Result<T> Versioned(const T* given, const T& defaults, const char* name) {
  T value = defaults;
  if (!given) return value;
  if (given->size < sizeof(size_t) || given->size > 4096) {
    return Error{ErrorCode::kInvalidArgument, StrCat(name, ".size is ", given->size, "; set it up by its _init function")};
  }
  std::memcpy(static_cast<void*>(&value), given, std::min(given->size, sizeof(T)));
  value.size = sizeof(T);
  return value;
}

// A malloc'ed copy with a zero element behind it.
template <typename T>
Status CopyOut(const T* data, size_t n, T** out, size_t* length) {
  T* copy = static_cast<T*>(std::malloc((n + 1) * sizeof(T)));
  if (!copy) return Error{ErrorCode::kOutOfMemory, "out of memory"};
  if (n > 0) std::memcpy(copy, data, n * sizeof(T));
  copy[n] = T{};
  *out = copy;
  if (length) *length = n;
  return Ok();
}

inline Result<std::unique_ptr<Threads>> MakeThreads(int32_t n) {
  if (n < 0 || n > kMaxThreads) {
    return Error{ErrorCode::kInvalidArgument, StrCat("n_threads is ", n, "; it must be 0 to ", kMaxThreads)};
  }
  return std::make_unique<Threads>(n == 0 ? DefaultThreadCount() : static_cast<int>(n));
}

inline Result<std::span<const int32_t>> Ids(const int32_t* ids, size_t n) {
  if (n > 0 && !ids) return NullPointer("ids");
  return std::span<const int32_t>(ids, n);
}

}  // namespace lfm::c_api
