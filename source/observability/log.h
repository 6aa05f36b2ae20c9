// The process's own log: lines on stderr, from any thread. main makes one Logger and passes it on by reference.
//
//   logger.info("xds", "clusters: accepted version '", version, "'");
//
// One call is one line: control characters of a message are escaped, so what comes from outside cannot forge a line.
// Pieces are joined only if the level is on. Not for the request path.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "source/base/text.h"

namespace sluice::observability {

enum class LogLevel : uint8_t { kTrace, kDebug, kInfo, kWarning, kError, kCritical, kOff };

// "trace", "debug", "info", "warning" (or "warn"), "error" (or "err"), "critical", "off".
std::optional<LogLevel> logLevelOf(std::string_view text);
std::string_view textOf(LogLevel level);

class Logger {
 public:
  // To stderr.
  explicit Logger(LogLevel level = LogLevel::kInfo);
  // To `write`, one whole line without its newline at a time and never two at once: for tests.
  Logger(LogLevel level, std::function<void(std::string_view line)> write);
  ~Logger();
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  LogLevel level() const { return level_.load(std::memory_order_relaxed); }
  void setLevel(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  bool enabled(LogLevel level) const { return level >= this->level(); }

  // How lines look: spdlog's pattern flags, with %v and %_ for the message, %j for the message as it stands between the
  // quotes of a JSON string, %n for the component. Before other threads write.
  void setFormat(const std::string& pattern);

  // `component` is static text: the part of the house that speaks.
  void write(LogLevel level, std::string_view component, std::string_view message);

  template <typename... Pieces>
  void log(LogLevel level, std::string_view component, const Pieces&... pieces) {
    if (enabled(level)) write(level, component, base::strCat(pieces...));
  }
  template <typename... Pieces>
  void trace(std::string_view component, const Pieces&... pieces) {
    log(LogLevel::kTrace, component, pieces...);
  }
  template <typename... Pieces>
  void debug(std::string_view component, const Pieces&... pieces) {
    log(LogLevel::kDebug, component, pieces...);
  }
  template <typename... Pieces>
  void info(std::string_view component, const Pieces&... pieces) {
    log(LogLevel::kInfo, component, pieces...);
  }
  template <typename... Pieces>
  void warning(std::string_view component, const Pieces&... pieces) {
    log(LogLevel::kWarning, component, pieces...);
  }
  template <typename... Pieces>
  void error(std::string_view component, const Pieces&... pieces) {
    log(LogLevel::kError, component, pieces...);
  }
  template <typename... Pieces>
  void critical(std::string_view component, const Pieces&... pieces) {
    log(LogLevel::kCritical, component, pieces...);
  }

 private:
  class Backend;
  std::atomic<LogLevel> level_;
  std::unique_ptr<Backend> backend_;
};

// `text` with control characters and DEL as \n, \t, \xNN...: one line that a terminal can show.
std::string oneLine(std::string_view text);

}  // namespace sluice::observability
