#include "source/config/access_log_filter.h"

#include <catch2/catch.hpp>
#include <chrono>

#include "source/base/arena.h"
#include "source/config/test_world.h"
#include "source/config/validate.h"
#include "source/worker/test_worker.h"

namespace sluice::config {
namespace {

using Proto = envoy::config::accesslog::v3::AccessLogFilter;
using std::chrono::milliseconds;

std::shared_ptr<const stream::AccessLogFilter> compiled(const std::string& json) {
  ErrorList errors;
  auto filter = compileAccessLogFilter(testing::fromJson<Proto>(json), Context(errors));
  REQUIRE(errors.toString() == "");
  REQUIRE(filter != nullptr);
  return filter;
}

// Which of some numbers a filter admits when `entry` makes an entry of one.
template <typename Entry>
std::vector<uint64_t> admitted(const std::string& json, std::vector<uint64_t> numbers, Entry entry) {
  const auto filter = compiled(json);
  std::erase_if(numbers, [&](uint64_t number) {
    stream::StreamInfo info;
    entry(info, number);
    return !filter->admits({.info = info});
  });
  return numbers;
}

using Numbers = std::vector<uint64_t>;
const Numbers kCodes = {0, 200, 404, 500};

TEST_CASE("a status code is compared in four ways") {
  const auto codes = [](const std::string& op) {
    return admitted(
        R"({"status_code_filter": {"comparison": {"op": ")" + op + R"(", "value": {"default_value": 404}}}})", kCodes,
        [](stream::StreamInfo& info, uint64_t code) { info.response_code = code; });
  };
  CHECK(codes("EQ") == Numbers{404});
  CHECK(codes("GE") == Numbers{404, 500});
  CHECK(codes("LE") == Numbers{0, 200, 404});
  CHECK(codes("NE") == Numbers{0, 200, 500});
}

TEST_CASE("a duration counts in milliseconds, and what is not over has none") {
  const std::string slow = R"({"duration_filter": {"comparison": {"op": "GE", "value": {"default_value": 10}}}})";
  CHECK(admitted(slow, {9, 10, 11},
                 [](stream::StreamInfo& info, uint64_t n) { info.response_end = milliseconds(n); }) == Numbers{10, 11});
  stream::StreamInfo running;
  CHECK_FALSE(compiled(slow)->admits({.info = running}));
}

TEST_CASE("flags are those named, or any") {
  stream::StreamInfo none, failed, reset;
  failed.response_flags.set(stream::ResponseFlag::kUpstreamConnectionFailure);
  reset.response_flags.set(stream::ResponseFlag::kLocalReset);

  const auto some = compiled(R"({"response_flag_filter": {"flags": ["UF", "UH"]}})");
  CHECK(some->admits({.info = failed}));
  CHECK_FALSE(some->admits({.info = reset}));
  const auto any = compiled(R"({"response_flag_filter": {}})");
  CHECK(any->admits({.info = reset}));
  CHECK_FALSE(any->admits({.info = none}));
}

TEST_CASE("health checks can be left out") {
  const auto filter = compiled(R"({"not_health_check_filter": {}})");
  stream::StreamInfo info;
  CHECK(filter->admits({.info = info}));
  info.health_check = true;
  CHECK_FALSE(filter->admits({.info = info}));
}

TEST_CASE("a header of the request decides, and an entry without a request is not admitted") {
  const auto filter = compiled(R"({"header_filter": {"header": {"name": "x-log", "exact_match": "yes"}}})");
  base::Arena arena;
  http::RequestHeaders request(arena);
  stream::StreamInfo info;
  CHECK_FALSE(filter->admits({.info = info}));
  CHECK_FALSE(filter->admits({.request = &request, .info = info}));
  request.add("x-log", "yes");
  CHECK(filter->admits({.request = &request, .info = info}));
}

TEST_CASE("conditions combine") {
  const std::string at_least_404 =
      R"({"status_code_filter": {"comparison": {"op": "GE", "value": {"default_value": 404}}}})";
  const std::string at_most_404 =
      R"({"status_code_filter": {"comparison": {"op": "LE", "value": {"default_value": 404}}}})";
  const auto codes = [&](const std::string& how) {
    return admitted("{\"" + how + "\": {\"filters\": [" + at_least_404 + ", " + at_most_404 + "]}}", kCodes,
                    [](stream::StreamInfo& info, uint64_t code) { info.response_code = code; });
  };
  CHECK(codes("and_filter") == Numbers{404});
  CHECK(codes("or_filter") == kCodes);
}

TEST_CASE("a filter that cannot be is refused where it stands") {
  const auto problems = [](const std::string& json) {
    ErrorList errors;
    const Proto proto = testing::fromJson<Proto>(json);
    if (validate(proto, Context(errors))) compileAccessLogFilter(proto, Context(errors));
    return errors.toString();
  };
  CHECK_THAT(problems(R"({"response_flag_filter": {"flags": ["UF", "XX"]}})"),
             Catch::Contains("response_flag_filter.flags[1]: must be one of"));
  CHECK_THAT(problems(R"({"status_code_filter": {"comparison": {}}})"), Catch::Contains("comparison.value"));
  CHECK_THAT(problems(R"({"and_filter": {"filters": [{"response_flag_filter": {}}]}})"), Catch::Contains("filters"));
  CHECK_FALSE(problems("{}").empty());
  std::string deep = R"({"response_flag_filter": {}})";
  for (int i = 0; i < 40; ++i) deep = "{\"or_filter\": {\"filters\": [" + deep + ", {\"response_flag_filter\": {}}]}}";
  CHECK_THAT(problems(deep), Catch::Contains("nested more than 32 levels deep"));
}

TEST_CASE("a log with a filter gets what the filter admits") {
  struct CountingLog : stream::AccessLog {
    void log(const stream::FormatContext&, worker::WorkerServices&) const override { ++count; }
    mutable int count = 0;
  };
  auto log = std::make_shared<CountingLog>();
  const stream::FilteredAccessLog filtered(compiled(R"({"response_flag_filter": {}})"), log);
  worker::testing::TestWorker worker;
  stream::StreamInfo info;
  filtered.log({.info = info}, worker);
  CHECK(log->count == 0);
  info.response_flags.set(stream::ResponseFlag::kLocalReset);
  filtered.log({.info = info}, worker);
  CHECK(log->count == 1);
}

}  // namespace
}  // namespace sluice::config
