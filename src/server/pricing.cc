#include "server/pricing.h"

#include <algorithm>
#include <limits>

#include "base/strings.h"

namespace lfm::server {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max() / 8;  // so that sums of a few stay in range
constexpr int kPlaces = 12;

int64_t Times(int64_t price, int64_t n) {
  if (price <= 0 || n <= 0) return 0;
  return price > kMax / n ? kMax : price * n;
}

// One price of a model's entry: NAME (dollars a token) or NAME_per_million.
Result<std::optional<int64_t>> ReadPrice(const Json& entry, const std::string& name) {
  for (const bool per_million : {false, true}) {
    const Json& price = entry[per_million ? name + "_per_million" : name];
    if (price.is_null()) continue;
    if (!price.is_string() && !price.is_number()) {
      return Error{ErrorCode::kInvalidArgument, StrCat("price \"", name, "\" must be decimal dollars, such as \"0.010\"")};
    }
    auto dollars = PicoDollars(price.is_string() ? price.AsString() : price.NumberText());
    if (!dollars.ok()) return dollars.error().Within(StrCat("price \"", name, "\""));
    if (per_million && *dollars % 1'000'000 != 0) {
      return Error{ErrorCode::kInvalidArgument, StrCat("price \"", name, "_per_million\" has more than 6 places")};
    }
    return std::optional<int64_t>(per_million ? *dollars / 1'000'000 : *dollars);
  }
  return std::optional<int64_t>();
}

}  // namespace

Cost Pricing::Of(int64_t n_prompt, int64_t n_cached, int64_t n_completion) const {
  if (!prices) return {};
  return {Times(prices->prompt, n_prompt - n_cached), Times(prices->cached_prompt, n_cached),
          Times(prices->completion, n_completion)};
}

std::optional<Prices> CardPrices(const std::string& id) {
  std::string lower = id;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (lower != "liquid/lfm2-8b-a1b") return std::nullopt;
  return Prices{10'000, 10'000, 20'000};
}

Result<int64_t> PicoDollars(const std::string& text) {
  const Error wrong{ErrorCode::kInvalidArgument,
                    StrCat(Quote(text), " is no amount in dollars with at most ", kPlaces, " places, such as 0.00000001")};
  const size_t point = std::min(text.find('.'), text.size());
  std::string digits = text.substr(0, point);
  std::string places = point < text.size() ? text.substr(point + 1) : "";
  if (digits.empty() || digits.size() > 5 || places.size() > kPlaces) return wrong;
  places.resize(kPlaces, '0');
  int64_t value = 0;
  for (const char c : digits + places) {
    if (c < '0' || c > '9') return wrong;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::string DollarText(int64_t pico_dollars) {
  std::string digits = std::to_string(std::max<int64_t>(pico_dollars, 0));
  if (digits.size() <= kPlaces) digits.insert(0, kPlaces + 1 - digits.size(), '0');
  digits.insert(digits.size() - kPlaces, 1, '.');
  while (digits.back() == '0') digits.pop_back();
  if (digits.back() == '.') digits.pop_back();
  return digits;
}

Result<std::optional<Prices>> ReadPrices(const Json& document, const std::string& id) {
  if (!document.is_object()) return Error{ErrorCode::kInvalidArgument, "a price file is an object of model ids"};
  const Json* entry = document.Find(id);
  if (!entry) return std::optional<Prices>();
  if (!entry->is_object()) return Error{ErrorCode::kInvalidArgument, StrCat("the prices of ", Quote(id), " must be an object")};
  LFM_TRY(const auto prompt, ReadPrice(*entry, "prompt"));
  LFM_TRY(const auto completion, ReadPrice(*entry, "completion"));
  LFM_TRY(const auto cached, ReadPrice(*entry, "cached_prompt"));
  if (!prompt || !completion) {
    return Error{ErrorCode::kInvalidArgument, StrCat("the prices of ", Quote(id), " need \"prompt\" and \"completion\"")};
  }
  return std::optional<Prices>(Prices{*prompt, cached.value_or(*prompt), *completion});
}

}  // namespace lfm::server
