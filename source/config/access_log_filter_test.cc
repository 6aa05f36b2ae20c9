#include "source/config/access_log_filter.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <map>

#include "google/protobuf/wrappers.pb.h"
#include "source/base/arena.h"
#include "source/config/access_log_filter_factory.h"
#include "source/config/test_world.h"
#include "source/config/validate.h"
#include "source/worker/test_worker.h"

namespace sluice::config {
namespace {

using Proto = envoy::config::accesslog::v3::AccessLogFilter;
using std::chrono::milliseconds;

// `runtime`: the values of runtime keys.
std::shared_ptr<const stream::AccessLogFilter> compiled(
    const std::string& json, std::map<std::string, runtime::Value, std::less<>> runtime = {}) {
  testing::TestWorld world;
  world.services.runtime = std::make_shared<const runtime::Snapshot>(std::move(runtime));
  auto filter = compileAccessLogFilter(testing::fromJson<Proto>(json), world.context());
  REQUIRE(world.problems() == "");
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
    testing::TestWorld world;
    const Proto proto = testing::fromJson<Proto>(json);
    if (validate(proto, world.at)) compileAccessLogFilter(proto, world.context());
    return world.problems();
  };
  CHECK_THAT(problems(R"({"response_flag_filter": {"flags": ["UF", "XX"]}})"),
             Catch::Contains("response_flag_filter.flags[1]: must be one of"));
  CHECK_THAT(problems(R"({"status_code_filter": {"comparison": {}}})"), Catch::Contains("comparison.value"));
  CHECK_THAT(problems(R"({"and_filter": {"filters": [{"response_flag_filter": {}}]}})"), Catch::Contains("filters"));
  CHECK_FALSE(problems("{}").empty());
  std::string deep = R"({"response_flag_filter": {}})";
  for (int i = 0; i < 40; ++i) deep = "{\"or_filter\": {\"filters\": [" + deep + ", {\"response_flag_filter\": {}}]}}";
  CHECK_THAT(problems(deep), Catch::Contains("nested more than 32 levels deep"));
  CHECK_THAT(problems(R"({"grpc_status_filter": {"statuses": [17]}})"), Catch::Contains("statuses[0]"));
  CHECK_THAT(problems(R"({"log_type_filter": {"types": [15]}})"), Catch::Contains("types[0]"));
  CHECK_THAT(problems(R"({"metadata_filter": {"matcher": {"filter": "f"}}})"),
             Catch::Contains("metadata_filter.matcher.path"));
  CHECK_THAT(problems(R"({"runtime_filter": {}})"), Catch::Contains("runtime_filter.runtime_key"));
  CHECK_THAT(problems(R"({"extension_filter": {"name": "x", "typed_config": {"@type":
                         "type.googleapis.com/google.protobuf.StringValue", "value": ""}}})"),
             Catch::Contains("extension_filter.typed_config: google.protobuf.StringValue does not configure access log "
                             "filters"));
}

// A number from the runtime stands in place of the configured one.
TEST_CASE("limits may come from runtime keys, and what is no number there does not count") {
  const std::string json =
      R"({"status_code_filter": {"comparison": {"op": "GE", "value": {"default_value": 500, "runtime_key": "from"}}}})";
  const auto takes = [](const stream::AccessLogFilter& filter, uint16_t code) {
    stream::StreamInfo info;
    info.response_code = code;
    return filter.admits({.info = info});
  };
  CHECK_FALSE(takes(*compiled(json), 404));
  CHECK(takes(*compiled(json, {{"from", runtime::Value::ofNumber(404)}}), 404));
  CHECK_FALSE(takes(*compiled(json, {{"from", runtime::Value::ofFlag(true)}}), 404));
  CHECK_FALSE(takes(*compiled(json, {{"from", runtime::Value::ofNumber(-1)}}), 404));
}

TEST_CASE("the status of gRPC is that of the trailers, the head, a filter or the HTTP status") {
  base::Arena arena;
  http::ResponseHeaders head(arena);
  http::Trailers trailers(arena);
  stream::StreamInfo info;
  // The statuses that are taken as it stands.
  const auto taken = [&] {
    std::vector<int> out;
    for (int status = 0; status < 17; ++status) {
      const auto filter = compiled("{\"grpc_status_filter\": {\"statuses\": [" + std::to_string(status) + "]}}");
      if (filter->admits({.response = &head, .trailers = &trailers, .info = info})) out.push_back(status);
    }
    return out;
  };
  CHECK(taken() == std::vector<int>{2});
  info.response_code = 503;
  CHECK(taken() == std::vector<int>{14});
  info.grpc_status = 5;
  CHECK(taken() == std::vector<int>{5});
  head.add("grpc-status", "7");
  CHECK(taken() == std::vector<int>{7});
  trailers.add("grpc-status", "0");
  CHECK(taken() == std::vector<int>{0});
  trailers.clear();
  trailers.add("grpc-status", "zero");
  CHECK(taken().empty());
  CHECK(compiled(R"({"grpc_status_filter": {"statuses": ["OK"], "exclude": true}})")
            ->admits({.response = &head, .trailers = &trailers, .info = info}));
}

TEST_CASE("what filters left decides, and what nobody left is taken unless that is not wanted") {
  const std::string matcher = R"("matcher": {"filter": "f", "path": [{"key": "k"}], "value": {"bool_match": true}})";
  const auto usual = compiled("{\"metadata_filter\": {" + matcher + "}}");
  const auto present = compiled("{\"metadata_filter\": {" + matcher + ", \"match_if_key_not_found\": false}}");
  const auto inverted =
      compiled(R"({"metadata_filter": {"matcher": {"filter": "f", "path": [{"key": "k"}], "invert": true,
                                                                     "value": {"bool_match": true}}}})");
  stream::StreamInfo info;
  CHECK(usual->admits({.info = info}));
  CHECK_FALSE(present->admits({.info = info}));
  info.metadata().set("f", "other", {true});
  CHECK(usual->admits({.info = info}));
  CHECK_FALSE(present->admits({.info = info}));
  info.metadata().set("f", "k", {false});
  CHECK_FALSE(usual->admits({.info = info}));
  CHECK(inverted->admits({.info = info}));
  info.metadata().set("f", "k", {true});
  CHECK(usual->admits({.info = info}));
  CHECK(present->admits({.info = info}));
  CHECK_FALSE(inverted->admits({.info = info}));
  CHECK(compiled(R"({"metadata_filter": {}})")->admits({.info = info}));
}

TEST_CASE("entries are taken by why they are written") {
  using Type = stream::AccessLogType;
  stream::StreamInfo info;
  const auto some = compiled(R"({"log_type_filter": {"types": ["DownstreamEnd", "TcpConnectionStart"]}})");
  const auto others = compiled(R"({"log_type_filter": {"types": ["DownstreamEnd"], "exclude": true}})");
  CHECK(some->admits({.info = info, .type = Type::kDownstreamEnd}));
  CHECK(some->admits({.info = info, .type = Type::kTcpConnectionStart}));
  CHECK_FALSE(some->admits({.info = info, .type = Type::kDownstreamStart}));
  CHECK_FALSE(others->admits({.info = info, .type = Type::kDownstreamEnd}));
  CHECK(others->admits({.info = info, .type = Type::kUdpSessionEnd}));
}

TEST_CASE("a share of requests is chosen by their ids, alike wherever one is seen") {
  const std::string json = R"({"runtime_filter": {"runtime_key": "share", "percent_sampled": {"numerator": 30}}})";
  const auto takes = [](const stream::AccessLogFilter& filter, std::string_view id) {
    stream::StreamInfo info;
    info.request_id = id;
    return filter.admits({.info = info});
  };
  const std::string_view at_29 = "0000001d-0000-4000-8000-000000000000", at_30 = "0000001e-0000-4000-8000-000000000000";
  CHECK(takes(*compiled(json), at_29));
  CHECK_FALSE(takes(*compiled(json), at_30));
  // The key's number is in the configured denominator; more than all is all.
  CHECK(takes(*compiled(json, {{"share", runtime::Value::ofNumber(31)}}), at_30));
  CHECK_FALSE(takes(*compiled(json, {{"share", runtime::Value::ofNumber(0)}}), at_29));
  CHECK(takes(*compiled(json, {{"share", runtime::Value::ofNumber(1000)}}), "no id"));
  CHECK_FALSE(takes(*compiled(R"({"runtime_filter": {"runtime_key": "x"}})"), "no id"));
}

TEST_CASE("a share without ids, or of its own, is drawn") {
  stream::StreamInfo info;
  info.request_id = "0000001d-0000-4000-8000-000000000000";
  const auto own = compiled(R"({"runtime_filter": {"runtime_key": "x", "percent_sampled": {"numerator": 50},
                                                   "use_independent_randomness": true}})");
  int taken = 0;
  for (int i = 0; i < 1000; ++i) taken += own->admits({.info = info}) ? 1 : 0;
  CHECK(taken > 0);
  CHECK(taken < 1000);
}

TEST_CASE("nothing is traced") {
  stream::StreamInfo info;
  CHECK_FALSE(compiled(R"({"traceable_filter": {}})")->admits({.info = info}));
}

TEST_CASE("an extension may say which entries a log gets") {
  struct Never : stream::AccessLogFilter {
    bool admits(const stream::FormatContext&) const override { return false; }
  };
  struct Factory : AccessLogFilterConfigFactory {
    std::string_view configType() const override { return "google.protobuf.BoolValue"; }
    std::shared_ptr<const stream::AccessLogFilter> compile(const google::protobuf::Message&,
                                                           FactoryContext) const override {
      return std::make_shared<Never>();
    }
  };
  testing::TestWorld world;
  world.registry.access_log_filters.add(std::make_unique<Factory>());
  const auto filter =
      compileAccessLogFilter(testing::fromJson<Proto>(R"({"extension_filter": {"name": "x", "typed_config":
                                  {"@type": "type.googleapis.com/google.protobuf.BoolValue", "value": true}}})"),
                             world.context());
  REQUIRE(filter != nullptr);
  stream::StreamInfo info;
  CHECK_FALSE(filter->admits({.info = info}));
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
