#include "source/observability/log.h"

#include <catch2/catch.hpp>
#include <vector>

namespace sluice::observability {
namespace {

TEST_CASE("a line tells level and component and joins its pieces") {
  std::vector<std::string> lines;
  Logger logger(LogLevel::kInfo, [&](std::string_view line) { lines.emplace_back(line); });

  logger.warning("xds", "clusters: ", 3, " of ", std::string_view("four"));

  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("[warning][xds] clusters: 3 of four") != std::string::npos);
}

TEST_CASE("levels below the set one are silent, off silences all") {
  int lines = 0;
  Logger logger(LogLevel::kWarning, [&](std::string_view) { ++lines; });

  logger.info("main", "no");
  logger.error("main", "yes");
  logger.setLevel(LogLevel::kOff);
  logger.critical("main", "no");

  CHECK(lines == 1);
}

TEST_CASE("a message cannot forge a line") {
  std::string seen;
  Logger logger(LogLevel::kInfo, [&](std::string_view line) { seen = line; });

  logger.info("main", "bad\n[critical] forged \x1b[31m\r");

  CHECK(seen.find("bad\\n[critical] forged \\x1b[31m\\r") != std::string::npos);
  CHECK(seen.find('\n') == std::string::npos);
}

TEST_CASE("a line has the form that it was given") {
  std::string seen;
  Logger logger(LogLevel::kInfo, [&](std::string_view line) { seen = line; });

  logger.setFormat("%n/%l: %v|%_");
  logger.info("main", "it's \"so\"\n");
  CHECK(seen == "main/info: it's \"so\"\\n|it's \"so\"\\n");

  logger.setFormat(R"({"part":"%n","text":"%j"})");
  logger.info("xds", "a \"b\" \\ c\xc3\xa4\xff\n");
  CHECK(seen == "{\"part\":\"xds\",\"text\":\"a \\\"b\\\" \\\\ c\xc3\xa4\xef\xbf\xbd\\\\n\"}");
}

TEST_CASE("level names are those of Envoy's command line") {
  CHECK(logLevelOf("warning") == LogLevel::kWarning);
  CHECK(logLevelOf("warn") == LogLevel::kWarning);
  CHECK(logLevelOf("off") == LogLevel::kOff);
  CHECK_FALSE(logLevelOf("loud").has_value());
  CHECK(textOf(LogLevel::kCritical) == "critical");
}

}  // namespace
}  // namespace sluice::observability
