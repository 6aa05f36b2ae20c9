#include "source/extensions/access_loggers/stream/factory.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>

#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"
#include "source/config/access_log_factory.h"
#include "source/config/test_world.h"
#include "source/event/polled_loop.h"

namespace sluice::extensions::access_loggers::stream {
namespace {

using config::testing::TestWorld;
using envoy::extensions::access_loggers::stream::v3::StderrAccessLog;
using envoy::extensions::access_loggers::stream::v3::StdoutAccessLog;

template <typename Proto>
std::shared_ptr<const sluice::stream::AccessLog> compile(TestWorld& world, const Proto& proto) {
  registerFactory(world.registry);
  return world.registry.access_logs.find(Proto::descriptor()->full_name())->compile(proto, world.context());
}

TEST_CASE("lines go to the descriptor of the process") {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  const int saved = ::dup(STDOUT_FILENO);
  ::dup2(pipe[1], STDOUT_FILENO);
  observability::StatsRegistry stats;
  observability::LogFiles files(stats, {1 << 20, std::chrono::hours(1)});
  net::WorkerBuffers buffers;
  event::PolledLoop loop;
  observability::LogSink sink(files);
  worker::NoCalls calls;
  worker::WorkerServices worker(
      {.loop = loop, .buffers = buffers, .cells = stats.makeCells(), .log_sink = sink, .calls = calls});
  StdoutAccessLog config;
  config.mutable_log_format()->set_text_format("%RESPONSE_CODE% %BYTES_SENT%\n");
  TestWorld world(&files);
  const auto log = compile(world, config);
  ::dup2(saved, STDOUT_FILENO);
  ::close(saved);
  REQUIRE(log != nullptr);

  sluice::stream::StreamInfo info;
  info.response_code = 404;
  log->log({nullptr, nullptr, nullptr, info}, worker);
  files.flush();

  std::array<char, 64> got{};
  const ssize_t size = ::read(pipe[0], got.data(), got.size());
  CHECK(std::string(got.data(), size) == "404 0\n");
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_CASE("a bad format is refused, a good one needs no files to be checked") {
  StderrAccessLog config;
  TestWorld world;
  compile(world, config);
  CHECK(world.problems() == "");
  config.mutable_log_format()->set_text_format("%");

  compile(world, config);

  CHECK(world.problems().find("log_format: text_format: ") == 0);
}

}  // namespace
}  // namespace sluice::extensions::access_loggers::stream
