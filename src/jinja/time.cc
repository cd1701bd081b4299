// strftime_now: Python's datetime.strftime for a moment without a zone. Its directives are those of the C library's
// strftime, here in the C locale; Python itself replaces the microseconds and the zone.
#include <locale.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

#include "jinja/jinja.h"

namespace lfm::jinja {
namespace {

std::tm BrokenDown(const LocalTime& time) {
  std::tm tm{};
  tm.tm_year = time.year - 1900, tm.tm_mon = time.month - 1, tm.tm_mday = time.day;
  tm.tm_hour = time.hour, tm.tm_min = time.minute, tm.tm_sec = time.second;
  std::tm counted = tm;
  timegm(&counted);  // fills the days of the week and of the year
  tm.tm_wday = counted.tm_wday, tm.tm_yday = counted.tm_yday;
  tm.tm_isdst = -1;  // not known: no zone
  return tm;
}

// What Python puts in place before the C library sees the format: %f is the microseconds, %z and %Z are empty.
std::string WithPythonsOwn(std::string_view format, int microsecond) {
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    const char next = i + 1 < format.size() ? format[i + 1] : '\0';
    if (format[i] != '%' || next == '\0') {
      out += format[i];
      continue;
    }
    ++i;
    if (next == 'f') {
      const std::string digits = std::to_string(microsecond);
      out.append(6 - std::min<size_t>(6, digits.size()), '0');
      out += digits;
    } else if (next != 'z' && next != 'Z') {
      out += '%';
      out += next;
    }
  }
  return out;
}

// A format without NUL. A text that is far longer than its format (of %999999d) is given up, and nothing comes; in Python
// that is 256 times as long.
std::string FormatByLibrary(const std::string& format, const std::tm& tm) {
  static const locale_t kLocaleC = newlocale(LC_ALL_MASK, "C", nullptr);
  const size_t longest = std::min(256 * format.size(), 2 * format.size() + (size_t{1} << 20));
  std::string out;
  for (size_t size = 1024; size < 2 * std::max<size_t>(1024, longest); size *= 2) {
    out.resize(size);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"  // a template's own format is the point
    const size_t n = strftime_l(out.data(), out.size(), format.c_str(), &tm, kLocaleC);
#pragma GCC diagnostic pop
    if (n > 0) return out.substr(0, n);
  }
  return "";
}

}  // namespace

std::string FormatTime(std::string_view format, const LocalTime& time) {
  const std::tm tm = BrokenDown(time);
  const std::string rest = WithPythonsOwn(format, time.microsecond);
  std::string out;
  for (size_t begin = 0; begin <= rest.size();) {
    const size_t end = std::min(rest.find('\0', begin), rest.size());
    if (end > begin) out += FormatByLibrary(rest.substr(begin, end - begin), tm);
    if (end < rest.size()) out += '\0';
    begin = end + 1;
  }
  return out;
}

LocalTime SystemTime() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm tm{};
  localtime_r(&seconds, &tm);
  LocalTime time;
  time.year = tm.tm_year + 1900, time.month = tm.tm_mon + 1, time.day = tm.tm_mday;
  time.hour = tm.tm_hour, time.minute = tm.tm_min, time.second = tm.tm_sec;
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  time.microsecond = static_cast<int>(micros % 1'000'000);
  return time;
}

}  // namespace lfm::jinja
