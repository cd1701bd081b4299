// A JSON value that keeps what others lose: the order of members, integers of any length, and 1 apart from 1.0.
// Templates print these values, so a number is held as its own text beside its kind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace lfm {

class Json {
 public:
  enum class Kind { kNull, kBool, kInteger, kFloat, kString, kArray, kObject };
  using Member = std::pair<std::string, Json>;
  using Array = std::vector<Json>;
  using Object = std::vector<Member>;  // in the order of the text; the last of equal names wins in Find

  Json() = default;
  Json(std::nullptr_t) {}                                                        // NOLINT: implicit on purpose, as all below
  Json(bool value) : kind_(Kind::kBool), bool_(value) {}                         // NOLINT
  Json(int value) : Json(int64_t{value}) {}                                      // NOLINT
  Json(int64_t value) : kind_(Kind::kInteger), text_(std::to_string(value)) {}   // NOLINT
  Json(uint64_t value) : kind_(Kind::kInteger), text_(std::to_string(value)) {}  // NOLINT
  Json(double value);  // NOLINT: prints as Python's json does where it is finite
  Json(std::string value) : kind_(Kind::kString), text_(std::move(value)) {}  // NOLINT
  Json(std::string_view value) : Json(std::string(value)) {}                  // NOLINT
  Json(const char* value) : Json(std::string(value)) {}                       // NOLINT
  static Json MakeArray(Array items = {});
  static Json MakeObject(Object members = {});
  // An integer or float by its JSON text, e.g. "123456789012345678901234567890" or "1e5".
  static Json MakeNumber(std::string text);

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  bool is_bool() const { return kind_ == Kind::kBool; }
  bool is_integer() const { return kind_ == Kind::kInteger; }
  bool is_number() const { return kind_ == Kind::kInteger || kind_ == Kind::kFloat; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_array() const { return kind_ == Kind::kArray; }
  bool is_object() const { return kind_ == Kind::kObject; }

  // Values; a wrong kind gives the neutral value (false, 0, "", empty).
  bool AsBool() const { return kind_ == Kind::kBool && bool_; }
  int64_t AsInt(int64_t otherwise = 0) const;   // integers that fit, and floats without a fraction
  double AsDouble(double otherwise = 0) const;  // any number
  const std::string& AsString() const;          // of a string
  const std::string& NumberText() const { return text_; }
  const Array& items() const { return items_; }
  Array& items() { return items_; }
  const Object& members() const { return members_; }
  Object& members() { return members_; }

  // The member's value, or null when there is none (or this is no object).
  const Json* Find(std::string_view name) const;
  const Json& operator[](std::string_view name) const;  // a shared null value when absent
  // Sets or appends a member; makes a null value an object.
  Json& Set(std::string name, Json value);
  // Appends an item; makes a null value an array.
  Json& Append(Json value);

  // Text. indent < 0: one line with ", " and ": " (Python's default); else pretty with that many spaces.
  // Non-ASCII stays as it is; invalid UTF-8 becomes U+FFFD, and a float that is not finite becomes null, so the text is
  // always valid JSON.
  std::string Dump(int indent = -1) const;

  friend bool operator==(const Json& a, const Json& b);

 private:
  Kind kind_ = Kind::kNull;
  bool bool_ = false;
  std::string text_;  // string, or the number's text, or of an object the index of its members
  Array items_;
  Object members_;
};

struct JsonLimits {
  int max_depth = 200;
  size_t max_bytes = size_t{256} << 20;
};

// Parses one JSON document (strict; Python's NaN, Infinity and -Infinity are accepted as numbers; a number beyond the
// range of a double, 1e309, is refused).
// Errors name the byte offset. Linear time and memory. Thread-safe.
Result<Json> ParseJson(std::string_view text, const JsonLimits& limits = {});

// A JSON string literal with its quotes; control characters escaped, non-ASCII as it is.
std::string JsonQuote(std::string_view text);
void AppendJsonQuote(std::string_view text, std::string& out);

}  // namespace lfm
