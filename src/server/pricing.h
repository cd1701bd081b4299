// What an answer costs, in whole pico-dollars: sums agree to the last digit wherever they are made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace lfm::server {

// Prices of one token in pico-dollars (10^-12 $): $0.010 per million tokens is 10,000.
struct Prices {
  int64_t prompt = 0;
  int64_t cached_prompt = 0;  // of prompt tokens that came from the cache
  int64_t completion = 0;
};

struct Cost {
  int64_t prompt = 0, cached_prompt = 0, completion = 0;
  int64_t total() const { return prompt + cached_prompt + completion; }
};

struct Pricing {
  std::optional<Prices> prices;  // absent: nothing is billed, and answers carry no cost

  // Saturates instead of overflowing. n_prompt counts the cached ones too.
  Cost Of(int64_t n_prompt, int64_t n_cached, int64_t n_completion) const;
};

// The published prices of a model's id, where it has any: liquid/lfm2-8b-a1b $0.010 and $0.020 per million.
std::optional<Prices> CardPrices(const std::string& id);

// A price file: {"MODEL ID": {"prompt": "0.00000001", "completion": "0.00000002", "cached_prompt": "…"}}, dollars for one
// token as decimal text, or {"prompt_per_million": "0.010", …}. Absent members: cached_prompt costs what prompt does.
Result<std::optional<Prices>> ReadPrices(const Json& document, const std::string& id);

// Decimal dollars of at most 12 places to pico-dollars: "0.00000001" -> 10,000.
Result<int64_t> PicoDollars(const std::string& text);
// 1,940,000 -> "0.00000194", as JSON writes a number.
std::string DollarText(int64_t pico_dollars);

}  // namespace lfm::server
