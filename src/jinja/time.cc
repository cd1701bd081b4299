// strftime_now: Python's datetime.strftime for a moment without a zone, in the C locale.
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "jinja/jinja.h"

namespace lfm::jinja {
namespace {

constexpr std::array<std::string_view, 7> kDays{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths{"January", "February", "March",     "April",   "May",      "June",
                                                   "July",    "August",   "September", "October", "November", "December"};

bool IsLeap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int DayOfYear(const LocalTime& t) {  // from 1
  static constexpr std::array<int, 12> kBefore{0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  return kBefore[static_cast<size_t>(t.month - 1)] + t.day + (t.month > 2 && IsLeap(t.year) ? 1 : 0);
}

// Days since 1970-01-01 (the civil calendar's day count).
int64_t DaysFromEpoch(const LocalTime& t) {
  const int64_t y = int64_t{t.year} - 1;
  return y * 365 + y / 4 - y / 100 + y / 400 + DayOfYear(t) - 1 - 719162;
}

int Weekday(const LocalTime& t) { return static_cast<int>(((DaysFromEpoch(t) + 4) % 7 + 7) % 7); }  // from Sunday

// ISO 8601: the year that the week belongs to, and its number.
std::pair<int, int> IsoWeek(const LocalTime& t) {
  const int weekday = (Weekday(t) + 6) % 7;  // from Monday
  const int week = (DayOfYear(t) - 1 - weekday + 10) / 7;
  const auto weeks_of = [](int year) {
    const LocalTime last{year, 12, 31, 0, 0, 0, 0};
    const int day = Weekday(last);
    return day == 4 || (day == 5 && IsLeap(year)) ? 53 : 52;
  };
  if (week < 1) return {t.year - 1, weeks_of(t.year - 1)};
  if (week > weeks_of(t.year)) return {t.year + 1, 1};
  return {t.year, week};
}

// A number of `width` places; `flag` may take the padding away ('-') or change it ('_', '0').
std::string Number(int64_t value, int width, char pad, char flag) {
  if (flag == '-') width = 1;
  if (flag == '_') pad = ' ';
  if (flag == '0') pad = '0';
  std::string text = std::to_string(value);
  while (static_cast<int>(text.size()) < width) text.insert(text.begin(), pad);
  return text;
}

// The conversions that look at the date alone; empty for all others.
std::string DateField(char c, char flag, const LocalTime& t) {
  const int weekday = Weekday(t), yearday = DayOfYear(t);
  switch (c) {
    case 'a': return std::string(kDays[static_cast<size_t>(weekday)].substr(0, 3));
    case 'A': return std::string(kDays[static_cast<size_t>(weekday)]);
    case 'b':
    case 'h': return std::string(kMonths[static_cast<size_t>(t.month - 1)].substr(0, 3));
    case 'B': return std::string(kMonths[static_cast<size_t>(t.month - 1)]);
    case 'C': return Number(t.year / 100, 2, '0', flag);
    case 'd': return Number(t.day, 2, '0', flag);
    case 'e': return Number(t.day, 2, ' ', flag);
    case 'g': return Number(IsoWeek(t).first % 100, 2, '0', flag);
    case 'G': return std::to_string(IsoWeek(t).first);
    case 'j': return Number(yearday, 3, '0', flag);
    case 'm': return Number(t.month, 2, '0', flag);
    case 'u': return std::to_string(weekday == 0 ? 7 : weekday);
    case 'U': return Number((yearday + 6 - weekday) / 7, 2, '0', flag);
    case 'V': return Number(IsoWeek(t).second, 2, '0', flag);
    case 'w': return std::to_string(weekday);
    case 'W': return Number((yearday + 6 - (weekday + 6) % 7) / 7, 2, '0', flag);
    case 'y': return Number(t.year % 100, 2, '0', flag);
    case 'Y': return std::to_string(t.year);
    default: return "";
  }
}

std::string Field(char c, char flag, const LocalTime& t) {
  const auto nested = [&](std::string_view format) { return FormatTime(format, t); };
  const int hour12 = t.hour % 12 == 0 ? 12 : t.hour % 12;
  switch (c) {
    case 'c': return nested("%a %b %e %H:%M:%S %Y");
    case 'D':
    case 'x': return nested("%m/%d/%y");
    case 'f': return Number(t.microsecond, 6, '0', 0);
    case 'F': return nested("%Y-%m-%d");
    case 'H': return Number(t.hour, 2, '0', flag);
    case 'I': return Number(hour12, 2, '0', flag);
    case 'k': return Number(t.hour, 2, ' ', flag);
    case 'l': return Number(hour12, 2, ' ', flag);
    case 'M': return Number(t.minute, 2, '0', flag);
    case 'n': return "\n";
    case 'p': return t.hour < 12 ? "AM" : "PM";
    case 'P': return t.hour < 12 ? "am" : "pm";
    case 'r': return nested("%I:%M:%S %p");
    case 'R': return nested("%H:%M");
    case 'S': return Number(t.second, 2, '0', flag);
    case 't': return "\t";
    case 'T':
    case 'X': return nested("%H:%M:%S");
    case 'z':
    case 'Z': return "";
    case '%': return "%";
    default: break;
  }
  const std::string date = DateField(c, flag, t);
  return !date.empty() ? date : std::string("%") + (flag ? std::string(1, flag) : "") + c;
}

}  // namespace

std::string FormatTime(std::string_view format, const LocalTime& time) {
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 >= format.size()) {
      out += format[i];
      continue;
    }
    char flag = 0;
    ++i;
    if (std::string_view("-_0^#").find(format[i]) != std::string_view::npos && i + 1 < format.size()) flag = format[i++];
    std::string field = Field(format[i], flag, time);
    if (flag == '^') {
      for (char& c : field) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    out += field;
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
