#include "grammar/formats.h"

#include <string>

#include "grammar/regex_parse.h"

namespace lfm::grammar {
namespace {

// 28 days in February but for leap years: divisible by 4, not by 100 unless by 400.
constexpr std::string_view kDate =
    "(?:\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))"
    "|(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)";

// A leap second is the last of a UTC day, written in UTC.
constexpr std::string_view kTime =
    "(?:(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d+)?(?:[Zz]|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)"
    "|23:59:60(?:\\.\\d+)?(?:[Zz]|[+-]00:00))";

constexpr std::string_view kIpv4 = "(?:(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)\\.){3}(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";

std::string Ipv6Pattern() {
  const std::string h = "[0-9A-Fa-f]{1,4}", tail = "(?:" + h + ":" + h + "|" + std::string(kIpv4) + ")";
  std::string all = "(?:(?:" + h + ":){6}" + tail;
  for (int after = 5; after >= 0; --after) {  // groups after the gap, of 16 bits, before the last 32
    const int before = 5 - after;
    const std::string left = before == 0 ? "" : "(?:(?:" + h + ":){0," + std::to_string(before - 1) + "}" + h + ")?";
    all += "|" + left + "::(?:" + h + ":){" + std::to_string(after) + "}" + tail;
  }
  all += "|(?:(?:" + h + ":){0,5}" + h + ")?::" + h + "|(?:(?:" + h + ":){0,6}" + h + ")?::)";
  return all;
}

constexpr std::string_view kLabel = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";

// RFC 3986.
std::string UriPattern(bool reference) {
  const std::string pct = "%[0-9A-Fa-f]{2}", unreserved = "[A-Za-z0-9._~!$&'()*+,;=-]";
  const std::string pchar = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|" + pct + ")";
  const std::string reg = "(?:" + unreserved + "|" + pct + ")*";
  const std::string literal = "\\[(?:" + Ipv6Pattern() + "|[Vv][0-9A-Fa-f]+\\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\\]";
  const std::string authority = "(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|" + pct + ")*@)?(?:" + literal + "|" + reg + ")(?::\\d*)?";
  const std::string abempty = "(?:/" + pchar + "*)*";
  const std::string absolute = "/(?:" + pchar + "+" + abempty + ")?";
  const std::string rootless = pchar + "+" + abempty;
  const std::string noscheme = "(?:[A-Za-z0-9._~!$&'()*+,;=@-]|" + pct + ")+" + abempty;
  const std::string end = "(?:\\?(?:" + pchar + "|[/?])*)?(?:#(?:" + pchar + "|[/?])*)?";
  const std::string uri = "[A-Za-z][A-Za-z0-9+.-]*:(?://" + authority + abempty + "|" + absolute + "|" + rootless + ")?" + end;
  if (!reference) return uri;
  return "(?:" + uri + "|(?://" + authority + abempty + "|" + absolute + "|" + noscheme + ")?" + end + ")";
}

// ECMA-262's patterns, those of them that surely are: groups three deep, plain ranges in classes, counts in order.
std::string RegexPattern() {
  const std::string escape = "\\\\[dDwWsSnrtvf.*+?^$|(){}\\[\\]\\\\/]";
  const std::string set = "\\[\\^?(?:a-z|A-Z|0-9|[^\\]\\[\\\\\\^-]|" + escape + ")+-?\\]";
  const std::string count = "(?:[*+?]|\\{(?:\\d+,?|[01],[1-9]\\d*)\\})\\??";
  const std::string base = "[^\\\\\\^$*+?()\\[\\]{}|]|" + escape + "|" + set;
  std::string atom = base, all;
  for (int depth = 0; depth < 4; ++depth) {
    const std::string sequence = "(?:(?:" + atom + ")(?:" + count + ")?|\\^|\\$)*";
    all = sequence + "(?:\\|" + sequence + ")*";
    if (depth < 3) atom = base + "|\\((?:\\?:)?" + all + "\\)";
  }
  return all;
}

std::string PatternOf(std::string_view name) {
  if (name == "date") return std::string(kDate);
  if (name == "time") return std::string(kTime);
  if (name == "date-time") return std::string(kDate) + "[Tt]" + std::string(kTime);
  if (name == "ipv4") return std::string(kIpv4);
  if (name == "ipv6") return Ipv6Pattern();
  if (name == "uuid") return "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}";
  if (name == "hostname") {
    return "(?=.{1,253}$)(?!..--)(?:" + std::string(kLabel) + "\\.)*" + std::string(kLabel);
  }
  if (name == "email") {
    const std::string atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
    const std::string quoted = "\"(?:[ !#-\\[\\]-~]|\\\\[ -~])*\"";
    return "(?:" + atom + "(?:\\." + atom + ")*|" + quoted + ")@(?:" + std::string(kLabel) + "(?:\\." + std::string(kLabel) +
           ")*|\\[(?:" + std::string(kIpv4) + "|IPv6:" + Ipv6Pattern() + ")\\])";
  }
  if (name == "regex") return RegexPattern();
  if (name == "uri" || name == "url") return UriPattern(false);
  if (name == "uri-reference") return UriPattern(true);
  return "";
}

}  // namespace

Result<std::optional<Re>> FormatLanguage(RegexPool& pool, std::string_view name) {
  const std::string pattern = PatternOf(name);
  if (pattern.empty()) return std::optional<Re>();
  LFM_TRY(const Re re, ParseRegex(pool, pattern, {.anchored = true, .dot_all = true}));
  return std::optional<Re>(re);
}

}  // namespace lfm::grammar
