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

// What RFC 3987 lets stand in an IRI beside ASCII.
constexpr std::string_view kUniversal =
    "\\u00A0-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFEF\\u{10000}-\\u{1FFFD}\\u{20000}-\\u{2FFFD}\\u{30000}-\\u{3FFFD}";

// RFC 3986; `more`: characters beside ASCII.
std::string UriPattern(bool reference, const std::string& more = "") {
  const std::string pct = "%[0-9A-Fa-f]{2}", unreserved = "[" + more + "A-Za-z0-9._~!$&'()*+,;=-]";
  const std::string pchar = "(?:[" + more + "A-Za-z0-9._~!$&'()*+,;=:@-]|" + pct + ")";
  const std::string reg = "(?:" + unreserved + "|" + pct + ")*";
  const std::string literal = "\\[(?:" + Ipv6Pattern() + "|[Vv][0-9A-Fa-f]+\\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\\]";
  const std::string authority =
      "(?:(?:[" + more + "A-Za-z0-9._~!$&'()*+,;=:-]|" + pct + ")*@)?(?:" + literal + "|" + reg + ")(?::\\d*)?";
  const std::string abempty = "(?:/" + pchar + "*)*";
  const std::string absolute = "/(?:" + pchar + "+" + abempty + ")?";
  const std::string rootless = pchar + "+" + abempty;
  const std::string noscheme = "(?:[" + more + "A-Za-z0-9._~!$&'()*+,;=@-]|" + pct + ")+" + abempty;
  const std::string end = "(?:\\?(?:" + pchar + "|[/?])*)?(?:#(?:" + pchar + "|[/?])*)?";
  const std::string uri = "[A-Za-z][A-Za-z0-9+.-]*:(?://" + authority + abempty + "|" + absolute + "|" + rootless + ")?" + end;
  if (!reference) return uri;
  return "(?:" + uri + "|(?://" + authority + abempty + "|" + absolute + "|" + noscheme + ")?" + end + ")";
}

// RFC 6570.
std::string UriTemplatePattern() {
  const std::string pct = "%[0-9A-Fa-f]{2}", name_char = "(?:[A-Za-z0-9_]|" + pct + ")";
  const std::string variable = name_char + "(?:\\.?" + name_char + ")*(?:\\*|:[1-9]\\d{0,3})?";
  const std::string expression = "\\{[+#./;?&=,!@|]?" + variable + "(?:," + variable + ")*\\}";
  return "(?:[!#$&'-;=?-\\[\\]_a-z~" + std::string(kUniversal) + "]|" + pct + "|" + expression + ")*";
}

// RFC 3339, appendix A.
constexpr std::string_view kDuration =
    "P(?:\\d+W|(?:\\d+Y(?:\\d+M(?:\\d+D)?)?|\\d+M(?:\\d+D)?|\\d+D)(?:T(?:\\d+H(?:\\d+M(?:\\d+S)?)?|\\d+M(?:\\d+S)?|\\d+S))?"
    "|T(?:\\d+H(?:\\d+M(?:\\d+S)?)?|\\d+M(?:\\d+S)?|\\d+S))";

// RFC 6901.
constexpr std::string_view kJsonPointer = "(?:/(?:[^~/]|~[01])*)*";

// {m,n} with m up to n, by their lengths and first digits; two of two digits only with different tens.
std::string CountPattern() {
  std::string pairs = "\\d,[1-9]\\d+|[1-9]\\d,[1-9]\\d\\d+";
  for (char digit = '0'; digit <= '9'; ++digit) pairs += std::string("|") + digit + ",[" + digit + "-9]";
  for (char ten = '1'; ten < '9'; ++ten) pairs += std::string("|") + ten + "\\d,[" + static_cast<char>(ten + 1) + "-9]\\d";
  return "\\{(?:\\d+,?|" + pairs + ")\\}";
}

// ECMA-262's patterns, those of them that surely are: groups three deep, plain ranges in classes, counts in order.
std::string RegexPattern() {
  const std::string escape = "\\\\[dDwWsSnrtvf.*+?^$|(){}\\[\\]\\\\/]";
  const std::string set = "\\[\\^?(?:a-z|A-Z|0-9|[^\\]\\[\\\\\\^-]|" + escape + ")+-?\\]";
  const std::string count = "(?:[*+?]|" + CountPattern() + ")\\??";
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
  if (name == "iri") return UriPattern(false, std::string(kUniversal));
  if (name == "iri-reference") return UriPattern(true, std::string(kUniversal));
  if (name == "uri-template") return UriTemplatePattern();
  if (name == "duration") return std::string(kDuration);
  if (name == "json-pointer") return std::string(kJsonPointer);
  if (name == "relative-json-pointer") return "(?:0|[1-9]\\d*)(?:#|" + std::string(kJsonPointer) + ")";
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
