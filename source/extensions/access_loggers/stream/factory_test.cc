#include "source/extensions/access_loggers/stream/factory.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>

namespace sluice::extensions::access_loggers::stream {
namespace {

using envoy::extensions::access_loggers::stream::v3::StderrAccessLog;
using envoy::extensions::access_loggers::stream::v3::StdoutAccessLog;

TEST_CASE("lines go to the descriptor of the process") {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  const int saved = ::dup(STDOUT_FILENO);
  ::dup2(pipe[1], STDOUT_FILENO);
  observability::StatsRegistry stats;
  observability::LogFiles files(stats, {1 << 20, std::chrono::hours(1)});
  observability::LogSink sink(files);
  StdoutAccessLog config;
  config.mutable_log_format()->set_text_format("%RESPONSE_CODE% %BYTES_SENT%\n");
  const auto log = makeAccessLog(config, &files);
  ::dup2(saved, STDOUT_FILENO);
  ::close(saved);
  REQUIRE(log.ok());

  sluice::stream::StreamInfo info;
  info.response_code = 404;
  (*log)->log({nullptr, nullptr, nullptr, info}, sink);
  files.flush();

  std::array<char, 64> got{};
  const ssize_t size = ::read(pipe[0], got.data(), got.size());
  CHECK(std::string(got.data(), size) == "404 0\n");
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_CASE("a bad format is refused, a good one needs no files to be checked") {
  StderrAccessLog config;
  CHECK(makeAccessLog(config, nullptr).ok());
  config.mutable_log_format()->set_text_format("%");

  const auto log = makeAccessLog(config, nullptr);

  REQUIRE_FALSE(log.ok());
  CHECK(std::string(log.status().message()).find("log_format: text_format: ") == 0);
}

}  // namespace
}  // namespace sluice::extensions::access_loggers::stream
