// A value or the refusal that the client gets instead: Result<T> with an ApiError. LFM_TRY works with it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "server/http.h"

namespace lfm::server {

template <typename T>
class [[nodiscard]] ApiResult {
 public:
  ApiResult(T value) : data_(std::in_place_index<0>, std::move(value)) {}         // NOLINT: implicit on purpose
  ApiResult(ApiError error) : data_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return data_.index() == 0; }
  T& value() & { return std::get<0>(data_); }
  const T& value() const& { return std::get<0>(data_); }
  T&& value() && { return std::get<0>(std::move(data_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const ApiError& error() const { return std::get<1>(data_); }

 private:
  std::variant<T, ApiError> data_;
};

class [[nodiscard]] ApiStatus {
 public:
  ApiStatus() = default;
  ApiStatus(ApiError error) : error_(std::move(error)) {}  // NOLINT: implicit on purpose

  bool ok() const { return !error_.has_value(); }
  const ApiError& error() const { return *error_; }

 private:
  std::optional<ApiError> error_;
};

// 400 for what a request says: `param` is the path of the member, e.g. "messages[1].content".
inline ApiError BadRequest(std::string message, std::string param, std::string code = "invalid_value") {
  return ApiError{400, std::move(message), std::move(param), std::move(code)};
}

}  // namespace lfm::server
