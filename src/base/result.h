// Result<T> and Status: how errors of input and environment travel. Programmer errors are LFM_CHECK (check.h).
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace lfm {

enum class ErrorCode {
  kInvalidArgument,  // a flag, request or value that the caller must change
  kNotFound,         // a file, tensor or name that is not there
  kCorrupt,          // a file that breaks its own format
  kUnsupported,      // valid, but not for this program: a foreign architecture, a type without kernels
  kLimit,            // a documented limit was reached
  kOutOfMemory,
  kIo,  // the operating system refused; the message holds its reason
  kCancelled,
  kBusy,      // full now, free later: a queue, a rate
  kDeadline,  // the time that the caller gave was over
  kInternal,  // a defect of ours that was caught
};

// `message` says what is wrong, where (file, byte offset, field or line) and what to do. One line, no final dot.
struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;

  // The same error with "context: " before its message.
  Error Within(const std::string& context) const { return {code, context + ": " + message}; }
};

// A value or an Error. Accessing the wrong one is a programmer error and ends the program.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : data_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : data_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return data_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return std::get<0>(data_); }
  const T& value() const& { return std::get<0>(data_); }
  T&& value() && { return std::get<0>(std::move(data_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const { return std::get<1>(data_); }

 private:
  std::variant<T, Error> data_;
};

// Success or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : failed_(true), error_(std::move(error)) {}  // NOLINT: implicit on purpose

  bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return error_; }

 private:
  bool failed_ = false;
  Error error_;
};

inline Status Ok() { return {}; }

}  // namespace lfm

#define LFM_CONCAT_INNER(a, b) a##b
#define LFM_CONCAT(a, b) LFM_CONCAT_INNER(a, b)

// LFM_TRY(auto x, F()): declares x from the value, or returns the error.
#define LFM_TRY(declaration, expression) LFM_TRY_INNER(LFM_CONCAT(lfm_try_, __LINE__), declaration, expression)
#define LFM_TRY_INNER(temporary, declaration, expression) \
  auto temporary = (expression);                          \
  if (!temporary.ok()) return temporary.error();          \
  declaration = std::move(temporary).value()

// LFM_RETURN_IF_ERROR(F()): returns the error of a Status or Result, if any.
#define LFM_RETURN_IF_ERROR(expression)                                              \
  do {                                                                               \
    if (auto lfm_status = (expression); !lfm_status.ok()) return lfm_status.error(); \
  } while (false)
