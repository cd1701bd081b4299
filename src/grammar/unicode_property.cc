// \p{...} of regular expressions: general categories.
#include <algorithm>
#include <array>

#include "grammar/code_points.h"

namespace lfm::grammar {
namespace {

enum Category : uint8_t {
  kCc,
  kCf,
  kCn,
  kCo,
  kCs,
  kLl,
  kLm,
  kLo,
  kLt,
  kLu,
  kMc,
  kMe,
  kMn,
  kNd,
  kNl,
  kNo,
  kPc,
  kPd,
  kPe,
  kPf,
  kPi,
  kPo,
  kPs,
  kSc,
  kSk,
  kSm,
  kSo,
  kZl,
  kZp,
  kZs,
};
constexpr std::string_view kShort[] = {"Cc", "Cf", "Cn", "Co", "Cs", "Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Me", "Mn", "Nd", "Nl",
                                       "No", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So", "Zl", "Zp", "Zs"};

struct Run {
  uint32_t first;
  Category category;
};
constexpr Run kRuns[] = {
#include "grammar/unicode_categories.inc"
};

// Long names as ECMA-262 knows them.
constexpr std::pair<std::string_view, std::string_view> kLong[] = {{"Letter", "L"},
                                                                   {"Cased_Letter", "LC"},
                                                                   {"Uppercase_Letter", "Lu"},
                                                                   {"Lowercase_Letter", "Ll"},
                                                                   {"Titlecase_Letter", "Lt"},
                                                                   {"Modifier_Letter", "Lm"},
                                                                   {"Other_Letter", "Lo"},
                                                                   {"Mark", "M"},
                                                                   {"Combining_Mark", "M"},
                                                                   {"Nonspacing_Mark", "Mn"},
                                                                   {"Spacing_Mark", "Mc"},
                                                                   {"Enclosing_Mark", "Me"},
                                                                   {"Number", "N"},
                                                                   {"Decimal_Number", "Nd"},
                                                                   {"digit", "Nd"},
                                                                   {"Letter_Number", "Nl"},
                                                                   {"Other_Number", "No"},
                                                                   {"Punctuation", "P"},
                                                                   {"punct", "P"},
                                                                   {"Connector_Punctuation", "Pc"},
                                                                   {"Dash_Punctuation", "Pd"},
                                                                   {"Open_Punctuation", "Ps"},
                                                                   {"Close_Punctuation", "Pe"},
                                                                   {"Initial_Punctuation", "Pi"},
                                                                   {"Final_Punctuation", "Pf"},
                                                                   {"Other_Punctuation", "Po"},
                                                                   {"Symbol", "S"},
                                                                   {"Math_Symbol", "Sm"},
                                                                   {"Currency_Symbol", "Sc"},
                                                                   {"Modifier_Symbol", "Sk"},
                                                                   {"Other_Symbol", "So"},
                                                                   {"Separator", "Z"},
                                                                   {"Space_Separator", "Zs"},
                                                                   {"Line_Separator", "Zl"},
                                                                   {"Paragraph_Separator", "Zp"},
                                                                   {"Other", "C"},
                                                                   {"Control", "Cc"},
                                                                   {"cntrl", "Cc"},
                                                                   {"Format", "Cf"},
                                                                   {"Surrogate", "Cs"},
                                                                   {"Private_Use", "Co"},
                                                                   {"Unassigned", "Cn"}};

}  // namespace

std::optional<CodeSet> PropertyCodes(std::string_view name) {
  for (const std::string_view prefix : {"General_Category=", "gc="}) {
    if (name.substr(0, prefix.size()) == prefix) name.remove_prefix(prefix.size());
  }
  if (name == "Any") return Complement({});
  if (name == "ASCII") return CodeSet{{0, 0x7F}};
  for (const auto& [long_name, short_name] : kLong) {
    if (name == long_name) name = short_name;
  }
  const auto wanted = [&](Category category) {
    const std::string_view own = kShort[category];
    return name == own || (name.size() == 1 && own[0] == name[0]) ||
           (name == "LC" && (category == kLu || category == kLl || category == kLt));
  };
  CodeSet set;
  for (size_t i = 0; i < std::size(kRuns); ++i) {
    if (wanted(kRuns[i].category)) {
      set.emplace_back(kRuns[i].first, i + 1 < std::size(kRuns) ? kRuns[i + 1].first - 1 : 0x10FFFF);
    }
  }
  if (set.empty()) return std::nullopt;
  return Normalize(std::move(set));
}

}  // namespace lfm::grammar
