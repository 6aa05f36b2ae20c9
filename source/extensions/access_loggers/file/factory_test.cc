#include "source/extensions/access_loggers/file/factory.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "google/protobuf/util/json_util.h"

namespace sluice::extensions::access_loggers::file {
namespace {

using envoy::extensions::access_loggers::file::v3::FileAccessLog;

FileAccessLog parsed(const std::string& json) {
  FileAccessLog config;
  REQUIRE(google::protobuf::util::JsonStringToMessage(json, &config).ok());
  return config;
}

std::string contentOf(const std::string& path) {
  std::ifstream in(path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST_CASE("each form of the format reaches the file") {
  std::string pattern = std::filesystem::temp_directory_path() / "file_access_log_test.XXXXXX";
  const std::string path = std::string(::mkdtemp(pattern.data())) + "/access.log";
  observability::StatsRegistry stats;
  observability::LogFiles files(stats, {1 << 20, std::chrono::hours(1)});
  observability::LogSink sink(files);
  stream::StreamInfo info;
  info.response_code = 200;

  for (const std::string format :
       {R"("format": "old %RESPONSE_CODE%\n")", R"("json_format": {"code": "%RESPONSE_CODE%"})",
        R"("log_format": {"text_format_source": {"inline_string": "new %RESPONSE_CODE%\n"}})",
        R"("log_format": {"json_format": {"code": "%RESPONSE_CODE%"}})"}) {
    const auto log = makeAccessLog(parsed("{\"path\": \"" + path + "\", " + format + "}"), &files);
    REQUIRE(log.ok());
    (*log)->log({nullptr, nullptr, nullptr, info}, sink);
  }
  const auto log = makeAccessLog(parsed("{\"path\": \"" + path + "\"}"), &files);
  (*log)->log({nullptr, nullptr, nullptr, info}, sink);
  files.flush();

  CHECK(contentOf(path) ==
        "old 200\n{\"code\":\"200\"}\nnew 200\n{\"code\":200}\n"
        "[1970-01-01T00:00:00.000Z] \"- - -\" 200 - 0 0 - - \"-\" \"-\" \"-\" \"-\" \"-\"\n");
  std::filesystem::remove_all(pattern);
}

TEST_CASE("without files the configuration is checked and nothing is opened") {
  const std::string path = std::filesystem::temp_directory_path() / "file_access_log_test_not_made";

  CHECK(makeAccessLog(parsed("{\"path\": \"" + path + "\"}"), nullptr).ok());
  CHECK_FALSE(std::filesystem::exists(path));
  const auto bad = makeAccessLog(parsed(R"({"path": "x", "log_format": {"text_format": "%NOPE%"}})"), nullptr);
  REQUIRE_FALSE(bad.ok());
  CHECK(std::string(bad.status().message()).find("log_format: text_format: format '%NOPE%'") == 0);
}

TEST_CASE("a file that cannot be opened refuses the configuration") {
  observability::StatsRegistry stats;
  observability::LogFiles files(stats, {1 << 20, std::chrono::hours(1)});

  const auto log = makeAccessLog(parsed(R"({"path": "/nonexistent/a.log"})"), &files);

  REQUIRE_FALSE(log.ok());
  CHECK(std::string(log.status().message()).find("path: cannot open log file '/nonexistent/a.log'") == 0);
}

}  // namespace
}  // namespace sluice::extensions::access_loggers::file
