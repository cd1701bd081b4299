// The figures that every Prometheus client gives of its process.
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>
#include <string>

#include "base/strings.h"
#include "server/metrics.h"

namespace lfm::server {
namespace {

void Line(std::string& out, std::string_view name, std::string_view type, std::string_view help, double value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out += StrCat("# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n", name, " ",
                std::string_view(digits, static_cast<size_t>(end - digits)), "\n");
}

// Fields of /proc/self/stat from the third on: the second is a name that may hold spaces.
std::vector<double> StatFields() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  std::vector<double> fields;
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 4 > text.size()) return fields;
  std::istringstream rest(text.substr(name_end + 4));
  for (double value = 0; rest >> value;) fields.push_back(value);
  return fields;
}

// Seconds since 1970 at which the machine started.
double BootTime() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("btime ")) return std::stod(line.substr(6));
  }
  return 0;
}

int CountOpenFiles() {
  DIR* folder = opendir("/proc/self/fd");
  if (!folder) return 0;
  int n = 0;
  while (readdir(folder)) ++n;
  closedir(folder);
  return n - 3;  // ".", ".." and the folder itself
}

}  // namespace

void RenderProcess(std::string& out) {
  const std::vector<double> fields = StatFields();
  if (fields.size() > 20) {  // proc(5): utime is field 14, starttime 22, vsize 23, rss 24; fields[0] is the fourth
    const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    Line(out, "process_cpu_seconds_total", "counter", "Processor time, user and system.", (fields[10] + fields[11]) / ticks);
    Line(out, "process_start_time_seconds", "gauge", "Start, in seconds since 1970.", BootTime() + fields[18] / ticks);
    Line(out, "process_virtual_memory_bytes", "gauge", "Virtual memory.", fields[19]);
    Line(out, "process_resident_memory_bytes", "gauge", "Resident memory, the model's shared pages included.",
         fields[20] * static_cast<double>(sysconf(_SC_PAGESIZE)));
  }
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  Line(out, "process_open_fds", "gauge", "Open files.", CountOpenFiles());
  Line(out, "process_max_fds", "gauge", "Files that may be open.", static_cast<double>(limit.rlim_cur));
}

}  // namespace lfm::server
