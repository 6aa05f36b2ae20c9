#include "source/extensions/access_loggers/file/factory.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "source/config/access_log_factory.h"
#include "source/config/test_world.h"
#include "source/event/polled_loop.h"
#include "test/support/files/scratch_folder.h"

namespace sluice::extensions::access_loggers::file {
namespace {

using config::testing::TestWorld;
using envoy::extensions::access_loggers::file::v3::FileAccessLog;

std::shared_ptr<const stream::AccessLog> compile(TestWorld& world, const std::string& json) {
  registerFactory(world.registry);
  const auto* factory = world.registry.access_logs.find(FileAccessLog::descriptor()->full_name());
  return factory->compile(config::testing::fromJson<FileAccessLog>(json), world.context());
}

TEST_CASE("each form of the format reaches the file") {
  const test::ScratchFolder folder;
  const std::string path = folder / "access.log";
  observability::StatsRegistry stats;
  observability::LogFiles files(stats, {1 << 20, std::chrono::hours(1)});
  net::WorkerBuffers buffers;
  event::PolledLoop loop;
  observability::LogSink sink(files);
  worker::NoCalls calls;
  worker::WorkerServices worker(
      {.loop = loop, .buffers = buffers, .cells = stats.makeCells(), .log_sink = sink, .calls = calls});
  stream::StreamInfo info;
  info.response_code = 200;

  for (const std::string format :
       {R"(, "format": "old %RESPONSE_CODE%\n")", R"(, "json_format": {"code": "%RESPONSE_CODE%"})",
        R"(, "typed_json_format": {"code": "%RESPONSE_CODE%", "none": "%REQ(x)%"})",
        R"(, "log_format": {"text_format_source": {"inline_string": "new %RESPONSE_CODE%\n"}})",
        R"(, "log_format": {"json_format": {"code": "%RESPONSE_CODE%"}})", ""}) {
    TestWorld world(&files);
    const auto log = compile(world, "{\"path\": \"" + path + "\"" + format + "}");
    REQUIRE(log != nullptr);
    log->log({nullptr, nullptr, nullptr, info}, worker);
  }
  files.flush();

  CHECK(test::contentOf(path) ==
        "old 200\n{\"code\":\"200\"}\n{\"code\":200,\"none\":null}\nnew 200\n{\"code\":200}\n"
        "[1970-01-01T00:00:00.000Z] \"- - -\" 200 - 0 0 - - \"-\" \"-\" \"-\" \"-\" \"-\"\n");
}

TEST_CASE("without files the configuration is checked and nothing is opened") {
  const test::ScratchFolder folder;
  const std::string path = folder / "access.log";
  TestWorld world;

  CHECK(compile(world, "{\"path\": \"" + path + "\"}") == nullptr);
  CHECK(world.problems() == "");
  CHECK_FALSE(std::filesystem::exists(path));
  compile(world, R"({"path": "x", "log_format": {"text_format": "%NOPE%"}})");
  CHECK(world.problems().find("log_format: text_format: format '%NOPE%'") == 0);
}

TEST_CASE("a file that cannot be opened refuses the configuration") {
  observability::StatsRegistry stats;
  observability::LogFiles files(stats, {1 << 20, std::chrono::hours(1)});
  TestWorld world(&files);

  CHECK(compile(world, R"({"path": "/nonexistent/a.log"})") == nullptr);
  CHECK(world.problems().find("path: cannot open log file '/nonexistent/a.log'") == 0);
}

}  // namespace
}  // namespace sluice::extensions::access_loggers::file
