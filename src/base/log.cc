#include "base/log.h"

#include <mutex>
#include <utility>

namespace lfm {
namespace {

std::mutex g_mutex;
LogSink& Sink() {
  static LogSink sink;
  return sink;
}

}  // namespace

void SetLogSink(LogSink sink) {
  std::lock_guard lock(g_mutex);
  Sink() = std::move(sink);
}

void Log(LogLevel level, std::string_view message) {
  std::lock_guard lock(g_mutex);
  if (Sink()) Sink()(level, message);
}

}  // namespace lfm
