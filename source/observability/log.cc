#include "source/observability/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <mutex>

#include "source/base/utf8.h"

namespace sluice::observability {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

// Hands formatted lines to a function.
class FunctionSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(std::function<void(std::string_view)> write) : write_(std::move(write)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::string_view text(line.data(), line.size());
    if (text.ends_with('\n')) text.remove_suffix(1);
    write_(text);
  }
  void flush_() override {}

 private:
  std::function<void(std::string_view)> write_;
};

// The message of a line as a flag of its own.
class MessageFlag : public spdlog::custom_flag_formatter {
 public:
  explicit MessageFlag(bool json) : json_(json) {}

  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    const std::string shown = json_ ? insideQuotes(text) : std::string(text);
    out.append(shown.data(), shown.data() + shown.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<MessageFlag>(json_); }

 private:
  // `text` has no control characters; bytes that are not UTF-8 become U+FFFD.
  static std::string insideQuotes(std::string_view text) {
    std::string out;
    while (!text.empty()) {
      const size_t size = base::utf8Length(text);
      if (text[0] == '"' || text[0] == '\\') out += '\\';
      out += size == 0 ? "\xef\xbf\xbd" : text.substr(0, size);
      text.remove_prefix(std::max<size_t>(size, 1));
    }
    return out;
  }

  const bool json_;
};

std::unique_ptr<spdlog::formatter> formatterOf(const std::string& pattern) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<MessageFlag>('_', false).add_flag<MessageFlag>('j', true).set_pattern(pattern);
  return formatter;
}

spdlog::level::level_enum backendLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return spdlog::level::trace;
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kCritical:
      return spdlog::level::critical;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

}  // namespace

class Logger::Backend : private spdlog::logger {
 public:
  explicit Backend(spdlog::sink_ptr sink) : logger("sluice", std::move(sink)) {
    set_level(spdlog::level::trace);  // Logger decides
    setFormat("[%Y-%m-%d %T.%e][%t][%l][%n] %v");
    // spdlog catches what its sinks throw; a log that cannot be written has nowhere to complain.
    set_error_handler([](const std::string&) {});
  }

  void setFormat(const std::string& pattern) { set_formatter(formatterOf(pattern)); }

  void write(LogLevel level, std::string_view component, std::string_view line) {
    sink_it_({spdlog::string_view_t(component.data(), component.size()), backendLevel(level),
              spdlog::string_view_t(line.data(), line.size())});
  }
};

Logger::Logger(LogLevel level)
    : level_(level), backend_(std::make_unique<Backend>(std::make_shared<spdlog::sinks::stderr_sink_mt>())) {}

Logger::Logger(LogLevel level, std::function<void(std::string_view)> write)
    : level_(level), backend_(std::make_unique<Backend>(std::make_shared<FunctionSink>(std::move(write)))) {}

Logger::~Logger() = default;

void Logger::write(LogLevel level, std::string_view component, std::string_view message) {
  if (level == LogLevel::kOff || !enabled(level)) return;
  backend_->write(level, component, oneLine(message));
}

void Logger::setFormat(const std::string& pattern) {
  backend_->setFormat(pattern);
}

std::optional<LogLevel> logLevelOf(std::string_view text) {
  for (uint8_t i = 0; i <= static_cast<uint8_t>(LogLevel::kOff); ++i) {
    if (textOf(static_cast<LogLevel>(i)) == text) return static_cast<LogLevel>(i);
  }
  if (text == "warn") return LogLevel::kWarning;
  if (text == "err") return LogLevel::kError;
  return std::nullopt;
}

std::string_view textOf(LogLevel level) {
  static constexpr std::array<std::string_view, 7> kNames = {"trace", "debug",    "info", "warning",
                                                             "error", "critical", "off"};
  return kNames[static_cast<size_t>(level)];
}

std::string oneLine(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace sluice::observability
