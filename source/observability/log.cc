#include "source/observability/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <cstdint>
#include <mutex>

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

class Logger::Backend {
 public:
  explicit Backend(spdlog::sink_ptr sink) : logger_("sluice", std::move(sink)) {
    logger_.set_level(spdlog::level::trace);  // Logger decides
    logger_.set_pattern("[%Y-%m-%d %T.%e][%t][%l]%v");
    // spdlog catches what its sinks throw; a log that cannot be written has nowhere to complain.
    logger_.set_error_handler([](const std::string&) {});
  }

  void write(LogLevel level, std::string_view line) {
    logger_.log(backendLevel(level), spdlog::string_view_t(line.data(), line.size()));
  }

 private:
  spdlog::logger logger_;
};

Logger::Logger(LogLevel level)
    : level_(level), backend_(std::make_unique<Backend>(std::make_shared<spdlog::sinks::stderr_sink_mt>())) {}

Logger::Logger(LogLevel level, std::function<void(std::string_view)> write)
    : level_(level), backend_(std::make_unique<Backend>(std::make_shared<FunctionSink>(std::move(write)))) {}

Logger::~Logger() = default;

void Logger::write(LogLevel level, std::string_view component, std::string_view message) {
  if (level == LogLevel::kOff || !enabled(level)) return;
  backend_->write(level, base::strCat("[", component, "] ", oneLine(message)));
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
