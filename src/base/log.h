// The one log sink of the library. Silent until a program installs a sink: the library never prints by itself.
#pragma once

#include <functional>
#include <string_view>

namespace lfm {

enum class LogLevel { kDebug, kInfo, kWarning };

using LogSink = std::function<void(LogLevel, std::string_view)>;

// Replaces the sink (empty: silent). Thread-safe; the sink itself is called under a lock.
void SetLogSink(LogSink sink);
void Log(LogLevel level, std::string_view message);

}  // namespace lfm
