#include "source/extensions/filters/http/rate_limit_quota/filter.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/rate_limit_quota/v3/rate_limit_quota.pb.h"
#include "envoy/service/rate_limit_quota/v3/rlqs.pb.h"
#include "envoy/type/matcher/v3/http_inputs.pb.h"
#include "source/config/match_input_factory.h"
#include "source/extensions/filters/http/rate_limit_quota/factory.h"
#include "source/worker/main_services.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::rate_limit_quota {
namespace {

namespace v3 = envoy::extensions::filters::http::rate_limit_quota::v3;
namespace service = envoy::service::rate_limit_quota::v3;
using envoy::type::matcher::v3::HttpRequestHeaderMatchInput;
using filter::testing::Fields;
using filter::testing::Harness;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Texts = std::vector<std::string>;

// A header, in place of the extension that a matcher finds elsewhere.
class HeaderInput final : public match::Input {
 public:
  explicit HeaderInput(std::string name) : name_(std::move(name)) {}
  uint8_t needs() const override { return match::kRequest; }
  match::Value get(const match::Data& data, match::Scratch&) const override {
    return {.text = data.request->get(name_)};
  }

 private:
  const std::string name_;
};

class HeaderFactory final : public config::MatchInputConfigFactory {
 public:
  std::string_view configType() const override { return HttpRequestHeaderMatchInput::descriptor()->full_name(); }
  std::shared_ptr<const match::Input> compile(const google::protobuf::Message& message,
                                              config::FactoryContext) const override {
    return std::make_shared<HeaderInput>(static_cast<const HttpRequestHeaderMatchInput&>(message).header_name());
  }
};

const std::string kType = "'@type': type.googleapis.com/";

std::string header(const std::string& name) {
  return absl::StrCat("{name: i, typed_config: {", kType, HttpRequestHeaderMatchInput::descriptor()->full_name(),
                      ", header_name: ", name, "}}");
}

// An action of the tree. `more`: fields, each with a comma in front.
std::string bucket(const std::string& more = "", const std::string& id = "{name: {string_value: all}}") {
  return absl::StrCat("action: {name: b, typed_config: {", kType,
                      v3::RateLimitQuotaBucketSettings::descriptor()->full_name(),
                      ", reporting_interval: 5s, bucket_id_builder: {bucket_id_builder: ", id, "}", more, "}}");
}
const std::string kByUser = "{user: {custom_value: " + header("x-user") + "}}";
const std::string kDenyFirst = ", no_assignment_behavior: {fallback_rate_limit: {blanket_rule: DENY_ALL}}";

std::string config(const std::string& action, const std::string& more = "") {
  return absl::StrCat(
      "rlqs_server: {envoy_grpc: {cluster_name: quotas}}\ndomain: shop\nbucket_matchers: {on_no_match: {", action,
      "}}\n", more);
}

struct Answer {
  uint16_t status = 0;
  Fields headers;
  std::string body, details, metadata;
  Fields upstream;  // what the request had when it went on
};

struct World : filter::testing::FilterWorld<v3::RateLimitQuotaFilterConfig, v3::RateLimitQuotaOverride> {
  explicit World(const std::string& yaml) : FilterWorld(registerFactory, "http.p.rate_limit_quota.") {
    registry.match_inputs.add(std::make_unique<HeaderFactory>());
    services.main = &main;
    services.local_slots = slots;
    filter = compile(yaml);
    INFO(problems());
    REQUIRE(filter != nullptr);
  }

  Answer request(const Fields& fields = {}) {
    Harness h({filter}, {route});
    h.stream.shared_worker = &worker;
    h.stream.time = loop.now();
    h.request("POST", fields, true);
    if (h.client.heads == 0) h.respond(200, {}, true);
    for (const char* name : {"over_limit", "no_assigment", "expired_assigment", "no_bucket"}) {
      counts[name] += counted(h, name);
    }
    std::string metadata;
    for (const auto& group : h.stream.info().metadata().fields()) {
      for (const auto& field : std::get<stream::MetadataFields>(group.value.value)) {
        absl::StrAppend(&metadata, group.name.substr(group.name.rfind('.') + 1), ":", field.name, "=",
                        std::get<std::string>(field.value.value), " ");
      }
    }
    return {h.client.status, h.client.headers,  h.client.body, std::string(h.stream.info().response_code_details),
            metadata,        h.terminal.headers};
  }
  uint16_t ask(const Fields& fields = {}) { return request(fields).status; }
  // How many of so many requests are let through.
  int allowed(int requests) {
    int out = 0;
    for (int i = 0; i < requests; ++i) out += ask() == 200;
    return out;
  }

  // What was posted from thread to thread.
  void settle() {
    for (int i = 0; i < 4; ++i) {
      worker.loop.turn();
      worker.runMain();
      loop.turn();
    }
  }
  void pass(event::Duration by) {
    loop.pass(by);
    settle();
  }

  // What the service was told since the last time: "DOMAIN KEY=VALUE +ALLOWED -DENIED ELAPSEDms".
  Texts reports() {
    settle();
    Texts out;
    for (filter::testing::FakeGrpcCall* const call : server.grpc) {
      for (; call->answered < call->messages.size(); ++call->answered) {
        service::RateLimitQuotaUsageReports proto;
        REQUIRE(proto.ParseFromString(call->messages[call->answered]));
        for (const auto& usage : proto.bucket_quota_usages()) {
          std::string text = proto.domain();
          const auto& id = usage.bucket_id().bucket();
          for (const auto& [key, value] : std::map<std::string, std::string>(id.begin(), id.end())) {
            absl::StrAppend(&text, " ", key, "=", value);
          }
          const int64_t elapsed = usage.time_elapsed().seconds() * 1000 + usage.time_elapsed().nanos() / 1'000'000;
          out.push_back(absl::StrCat(text, " +", usage.num_requests_allowed(), " -", usage.num_requests_denied(), " ",
                                     elapsed, "ms"));
        }
      }
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  void act(const std::string& action, const std::string& id = R"({"name": "all"})") {
    settle();
    REQUIRE_FALSE(server.grpc.empty());
    server.grpc.back()->message(
        config::testing::fromJson<service::RateLimitQuotaResponse>(
            absl::StrCat(R"({"bucket_action": [{"bucket_id": {"bucket": )", id, "}, ", action, "}]}"))
            .SerializeAsString());
    settle();
  }
  void assign(const std::string& strategy, const std::string& time_to_live = "10s") {
    act(absl::StrCat(R"("quota_assignment_action": {"assignment_time_to_live": ")", time_to_live,
                     R"(", "rate_limit_strategy": )", strategy, "}"));
  }
  int64_t countedOnMain(const std::string& name) {
    return static_cast<int64_t>(main.cells.read(holding.stats().counter(prefix + name).id));
  }

  event::PolledLoop loop;  // main's
  filter::testing::FakeCalls server;
  worker::LocalSlots slots;
  worker::testing::TestWorker worker{&server, slots};
  worker::MainServices main{loop, stats.makeCells(), slots, [this](std::function<void(worker::WorkerServices&)> work) {
                              worker.loop.post([this, work = std::move(work)] { work(worker.services); });
                            }};
  std::shared_ptr<const filter::HttpFilterFactory> filter;
  std::shared_ptr<const route::PerFilterConfig> route;
  std::map<std::string, int> counts;
};

const std::string kDeny = R"({"blanket_rule": "DENY_ALL"})";
const std::string kAllow = R"({"blanket_rule": "ALLOW_ALL"})";
const std::string kThree = R"({"requests_per_time_unit": {"requests_per_time_unit": 3, "time_unit": "HOUR"}})";

// --- reports ---------------------------------------------------------------------------------------------------------

TEST_CASE("a new bucket is reported at once, and then in its interval, with what came since") {
  World world(config(bucket()));
  CHECK(world.ask() == 200);
  CHECK(world.reports() == Texts{"shop name=all +1 -0 0ms"});
  REQUIRE(world.server.grpc.size() == 1);
  CHECK(world.server.grpc[0]->request.cluster == "quotas");
  CHECK(world.server.grpc[0]->request.path == kMethodPath);

  CHECK(world.allowed(2) == 2);
  CHECK(world.reports().empty());
  world.pass(seconds(5));
  CHECK(world.reports() == Texts{"shop name=all +2 -0 5000ms"});

  world.assign(kDeny);
  CHECK(world.reports() == Texts{"shop name=all +0 -0 0ms"});
  CHECK(world.ask() == 429);
  world.pass(seconds(5));
  CHECK(world.reports() == Texts{"shop name=all +0 -1 5000ms"});
  CHECK(world.countedOnMain("buckets") == 1);
  CHECK(world.countedOnMain("assignments") == 1);
}

TEST_CASE("without requests there is no stream") {
  World world(config(bucket()));
  world.pass(hours(1));
  CHECK(world.server.grpc.empty());
}

TEST_CASE("many buckets are reported in several messages") {
  World world(config(bucket("", kByUser)));
  const size_t many = QuotaStream::kMostInReport + 1;
  for (size_t i = 0; i < many; ++i) world.ask({{"x-user", absl::StrCat("u", i)}});
  CHECK(world.reports().size() == many);
  const size_t before = world.server.grpc[0]->messages.size();
  world.pass(seconds(5));
  CHECK(world.server.grpc[0]->messages.size() == before + 2);
  CHECK(world.reports().size() == many);
}

TEST_CASE("a stream that ends is made again after a while that grows; what holds goes on, and usage waits") {
  World world(config(bucket()));
  world.ask();
  world.assign(kThree, "86400s");
  world.reports();
  CHECK(world.allowed(2) == 2);

  world.server.grpc[0]->end(14);
  world.settle();
  CHECK(world.server.grpc.empty());
  CHECK(world.allowed(2) == 1);
  world.pass(QuotaStream::kFirstWait / 2 - milliseconds(1));
  CHECK(world.server.grpc.empty());
  world.pass(QuotaStream::kFirstWait / 2 + milliseconds(1));
  REQUIRE(world.server.grpc.size() == 1);
  const Texts late = world.reports();
  REQUIRE(late.size() == 1);
  CHECK(late[0].starts_with("shop name=all +3 -1 "));
  CHECK(world.ask() == 429);
  CHECK(world.countedOnMain("error") == 1);

  for (int i = 0; i < 20; ++i) {
    world.server.grpc[0]->end(14);
    world.settle();
    world.pass(QuotaStream::kLastWait);
    REQUIRE(world.server.grpc.size() == 1);
  }
  world.server.grpc[0]->end(14);
  world.settle();
  world.pass(QuotaStream::kLastWait / 2 - milliseconds(1));
  CHECK(world.server.grpc.empty());
}

TEST_CASE("what cannot be read is counted, and what was assigned holds") {
  World world(config(bucket()));
  world.ask();
  world.assign(kDeny, "3600s");
  world.server.grpc[0]->message("\xff\xff");
  world.assign(R"({"token_bucket": {"max_tokens": 5}})");
  world.act(R"("abandon_action": {})", R"({"name": "another"})");
  CHECK(world.countedOnMain("error") == 2);
  CHECK(world.ask() == 429);
}

// --- what holds ------------------------------------------------------------------------------------------------------

TEST_CASE("what is configured holds before there is an assignment") {
  const std::string behavior = ", no_assignment_behavior: {fallback_rate_limit: ";
  CHECK(World(config(bucket())).allowed(9) == 9);
  CHECK(World(config(bucket(kDenyFirst))).allowed(9) == 0);
  CHECK(World(config(bucket(behavior + kThree + "}"))).allowed(9) == 3);
  CHECK(World(config(bucket(behavior + "{token_bucket: {max_tokens: 2, fill_interval: 60s}}}"))).allowed(9) == 2);
}

TEST_CASE("an assignment ends with its time; then what is configured holds, for its own") {
  World world(config(bucket(kDenyFirst +
                            ", expired_assignment_behavior: {expired_assignment_behavior_timeout: 20s, "
                            "fallback_rate_limit: " +
                            kThree + "}")));
  CHECK(world.ask() == 429);
  world.assign(kAllow, "9s");
  CHECK(world.allowed(5) == 5);
  world.pass(seconds(9));
  CHECK(world.allowed(5) == 3);
  world.pass(seconds(19));
  CHECK(world.allowed(2) == 0);
  CHECK(world.counts ==
        std::map<std::string, int>{{"over_limit", 5}, {"no_assigment", 1}, {"expired_assigment", 7}, {"no_bucket", 0}});
  world.reports();

  world.pass(seconds(1));
  CHECK(world.ask() == 429);
  CHECK(world.counts["no_assigment"] == 2);
  // The bucket goes, and begins anew with the next request.
  world.pass(seconds(5));
  CHECK(world.reports().empty());
  CHECK(world.ask() == 429);
  CHECK(world.reports() == Texts{"shop name=all +0 -1 0ms"});
}

TEST_CASE("the last assignment goes on if it is to") {
  World world(config(bucket(kDenyFirst + ", expired_assignment_behavior: {reuse_last_assignment: {}}")));
  world.ask();
  world.assign(kThree, "0s");
  world.pass(seconds(1));
  CHECK(world.allowed(9) == 3);
  world.pass(hours(1));
  CHECK(world.allowed(9) == 3);
  CHECK(world.counts["expired_assigment"] == 18);
}

TEST_CASE("without a behavior for it an assignment that ends leaves nothing") {
  World world(config(bucket(kDenyFirst)));
  world.ask();
  world.assign(kAllow, "1s");
  CHECK(world.ask() == 200);
  world.pass(seconds(1));
  CHECK(world.ask() == 429);
}

TEST_CASE("the same assignment goes on with the tokens it has; another one begins") {
  World world(config(bucket()));
  world.ask();
  world.assign(kThree);
  world.reports();
  CHECK(world.allowed(2) == 2);
  world.pass(seconds(4));
  world.assign(kThree);
  CHECK(world.reports().empty());
  CHECK(world.allowed(2) == 1);
  world.pass(seconds(9));
  CHECK(world.ask() == 429);

  world.reports();
  world.assign(R"({"token_bucket": {"max_tokens": 4, "fill_interval": "3600s"}})");
  CHECK(world.reports() == Texts{"shop name=all +0 -1 3000ms"});
  CHECK(world.allowed(9) == 4);
}

TEST_CASE("a bucket that the service forgets begins anew") {
  World world(config(bucket(kDenyFirst)));
  world.ask();
  world.assign(kAllow);
  CHECK(world.ask() == 200);
  world.reports();

  world.act(R"("abandon_action": {})");
  world.pass(seconds(5));
  CHECK(world.reports().empty());
  CHECK(world.ask() == 429);
  CHECK(world.reports() == Texts{"shop name=all +0 -1 0ms"});
}

TEST_CASE("all workers count in the same bucket") {
  World world(config(bucket()));
  world.ask();
  world.assign(kThree);
  worker::testing::TestWorker other(&world.server, world.slots, 1);
  int allowed = world.allowed(1);
  for (int i = 0; i < 5; ++i) {
    Harness h({world.filter});
    h.stream.shared_worker = &other;
    h.stream.time = world.loop.now();
    h.request("POST", {}, true);
    allowed += h.client.heads == 0;
  }
  CHECK(allowed == 3);
  CHECK(other.to_main.empty());
}

TEST_CASE("the next generation of the same configuration finds what was assigned; another one does not") {
  World world(config(bucket()));
  const auto compile = [&world](const std::string& yaml) {
    v3::RateLimitQuotaFilterConfig proto;
    REQUIRE(world.load(yaml, proto));
    return world.factory().compile(proto, world.holding.context(world.at, "http.p.", "listener 'l'"));
  };
  world.filter = compile(config(bucket()));
  world.ask();
  world.assign(kDeny);
  CHECK(world.ask() == 429);

  const auto first = world.filter;
  world.filter = compile(config(bucket(), "filter_enforced: {default_value: {numerator: 100}}"));
  CHECK(world.ask() == 429);
  world.filter = compile(config(bucket(", deny_response_settings: {http_status: {code: ServiceUnavailable}}")));
  CHECK(world.ask() == 200);
}

// --- ids -------------------------------------------------------------------------------------------------------------

TEST_CASE("values of requests make buckets, which metadata names") {
  World world(config(bucket("", "{name: {string_value: users}, user: {custom_value: " + header("x-user") + "}}")));
  CHECK(world.request({{"x-user", "ada"}}).metadata == "bucket:name=users bucket:user=ada ");
  world.ask({{"x-user", "b\xff"}});
  world.ask({{"x-user", ""}});
  CHECK(world.reports() ==
        Texts{"shop name=users +1 -0 0ms", "shop name=users user=ada +1 -0 0ms", "shop name=users user=b! +1 -0 0ms"});
}

TEST_CASE("requests without a value, or with one that is too long, are all in no bucket") {
  World world(config(bucket(", no_assignment_behavior: {fallback_rate_limit: " + kThree + "}", kByUser)));
  CHECK(world.ask() == 200);
  CHECK(world.ask({{"x-user", ""}}) == 200);
  CHECK(world.ask({{"x-user", std::string(Quotas::kMaxKey, 'a')}}) == 200);
  CHECK(world.ask({{"x-user", std::string(Quotas::kMaxKey, 'b')}}) == 429);
  CHECK(world.counts["no_bucket"] == 4);
  CHECK(world.reports().empty());
}

TEST_CASE("there are so many buckets at most; those that nobody asks for make room") {
  World world(config(bucket(kDenyFirst, kByUser)));
  const auto user = [](size_t i) { return Fields{{"x-user", absl::StrCat("u", i)}}; };
  for (size_t i = 0; i < BucketTable::kMaxBuckets; ++i) world.ask(user(i));
  CHECK(world.counts["no_bucket"] == 0);
  world.reports();
  CHECK(world.ask(user(BucketTable::kMaxBuckets)) == 429);
  CHECK(world.counts["no_bucket"] == 1);
  CHECK(world.reports().empty());

  world.pass(seconds(5));
  world.ask(user(1));
  world.pass(seconds(9));
  world.reports();
  world.pass(seconds(1));
  CHECK(world.reports() == Texts{"shop user=u1 +0 -0 5000ms"});
  world.ask(user(BucketTable::kMaxBuckets));
  CHECK(world.counts["no_bucket"] == 1);
}

TEST_CASE("a bucket to which nothing was assigned goes when nobody asks for it") {
  World world(config(bucket()));
  world.ask();
  world.settle();
  world.pass(QuotaStream::kUnassignedLife - seconds(5));
  CHECK_FALSE(world.reports().empty());
  world.pass(seconds(10));
  world.reports();
  world.pass(hours(1));
  CHECK(world.reports().empty());
  world.ask();
  CHECK(world.reports() == Texts{"shop name=all +1 -0 0ms"});
}

// --- requests --------------------------------------------------------------------------------------------------------

TEST_CASE("a refusal is 429, and UNAVAILABLE for gRPC") {
  World world(config(bucket(kDenyFirst)));
  const Answer http = world.request();
  CHECK(http.status == 429);
  CHECK(http.body.empty());
  CHECK(http.details == "rate_limited_by_quota");

  const Answer grpc = world.request({{"content-type", "application/grpc"}});
  CHECK(grpc.status == 200);
  CHECK(std::count(grpc.headers.begin(), grpc.headers.end(), std::pair<std::string, std::string>("grpc-status", "14")));
}

TEST_CASE("a refusal is as it is configured") {
  World world(config(bucket(kDenyFirst + ", deny_response_settings: {http_status: {code: Forbidden}, http_body: bm8=, "
                                         "grpc_status: {code: 8, message: less}, "
                                         "response_headers_to_add: [{header: {key: x-why, value: quota}}]}")));
  const auto has = [](const Answer& answer, const char* name, const char* value) {
    return std::count(answer.headers.begin(), answer.headers.end(), std::pair<std::string, std::string>(name, value)) >
           0;
  };
  const Answer http = world.request();
  CHECK(http.status == 403);
  CHECK(http.body == "no");
  CHECK(has(http, "x-why", "quota"));

  const Answer grpc = world.request({{"content-type", "application/grpc"}});
  CHECK(has(grpc, "grpc-status", "8"));
  CHECK(has(grpc, "grpc-message", "less"));
  CHECK(has(grpc, "x-why", "quota"));
}

TEST_CASE("shares of requests are counted, and refused") {
  World off(config(bucket(kDenyFirst), "filter_enabled: {default_value: {numerator: 0}}"));
  CHECK(off.ask() == 200);
  CHECK(off.reports().empty());

  World lenient(config(bucket(kDenyFirst),
                       "filter_enforced: {default_value: {numerator: 0}}\n"
                       "request_headers_to_add_when_not_enforced: [{header: {key: x-over, value: quota}}]"));
  const Answer answer = lenient.request();
  CHECK(answer.status == 200);
  CHECK(std::count(answer.upstream.begin(), answer.upstream.end(),
                   std::pair<std::string, std::string>("x-over", "quota")) == 1);
  CHECK(lenient.reports() == Texts{"shop name=all +0 -1 0ms"});
}

TEST_CASE("what the tree does not take is not limited; an entry that keeps matching only counts") {
  const std::string tree =
      "rlqs_server: {envoy_grpc: {cluster_name: quotas}}\ndomain: shop\nbucket_matchers: {matcher_list: {matchers: ["
      "{predicate: {single_predicate: {input: " +
      header("x-user") +
      ", value_match: {prefix: b}}}, "
      "on_match: {keep_matching: true, " +
      bucket(kDenyFirst, "{name: {string_value: new}}") +
      "}}, "
      "{predicate: {single_predicate: {input: " +
      header("x-user") +
      ", value_match: {exact: bob}}}, "
      "on_match: {" +
      bucket(kDenyFirst) + "}}]}}";
  World world(tree);
  CHECK(world.ask() == 200);
  CHECK(world.reports().empty());
  const Answer previewed = world.request({{"x-user", "berta"}});
  CHECK(previewed.status == 200);
  CHECK(previewed.metadata == "preview_bucket:name=new ");
  CHECK(world.reports() == Texts{"shop name=new +0 -1 0ms"});
  CHECK(world.counts["over_limit"] == 0);
  CHECK(world.ask({{"x-user", "bob"}}) == 429);
  CHECK(world.reports() == Texts{"shop name=all +0 -1 0ms"});
  world.pass(seconds(5));
  CHECK(world.reports() == Texts{"shop name=all +0 -0 5000ms", "shop name=new +0 -1 5000ms"});
}

TEST_CASE("a route has a domain or buckets of its own") {
  World world(config(bucket()));
  world.route = world.compileRoute("domain: other");
  CHECK(world.ask() == 200);
  CHECK(world.reports() == Texts{"other name=all +1 -0 0ms"});
  world.route = world.compileRoute("bucket_matchers: {on_no_match: {" + bucket(kDenyFirst, kByUser) + "}}");
  CHECK(world.ask({{"x-user", "ada"}}) == 429);
  world.route = nullptr;
  world.ask();
  CHECK(world.reports() == Texts{"shop name=all +1 -0 0ms", "shop user=ada +0 -1 0ms"});
  CHECK(world.server.grpc.size() == 2);
}

// --- configuration ---------------------------------------------------------------------------------------------------

struct Checked : filter::testing::FilterWorld<v3::RateLimitQuotaFilterConfig> {
  explicit Checked(const std::string& yaml) : FilterWorld(registerFactory) { made = compile(yaml) != nullptr; }
  bool made;
};

TEST_CASE("a configuration that is only checked needs nothing to run in") {
  CHECK(Checked(config(bucket())).made);
}

TEST_CASE("what is wrong is told with its place") {
  const auto problem = [](const std::string& yaml) {
    Checked world(yaml);
    CHECK_FALSE(world.made);
    return world.problems();
  };
  using Catch::Matchers::Contains;
  CHECK_THAT(problem(config(bucket("", "{name: {string_value: ''}}"))), Contains("string_value: is empty"));
  CHECK_THAT(problem(config(bucket("", "{'': {string_value: a}}"))), Contains("has an empty key"));
  CHECK_THAT(problem(config(bucket("", "{}"))), Contains("bucket_id_builder"));
  CHECK_THAT(problem(config(bucket(", deny_response_settings: {grpc_status: {code: 0}}"))),
             Contains("grpc_status.code: is no error of gRPC"));
  CHECK_THAT(problem(config(bucket(", no_assignment_behavior: {fallback_rate_limit: {requests_per_time_unit: "
                                   "{requests_per_time_unit: 1}}}"))),
             Contains("time_unit: is missing"));
  CHECK_THAT(problem(config("action: {name: a, typed_config: {" + kType +
                            "envoy.extensions.filters.http.rate_limit_quota.v3.RateLimitQuotaOverride}}")),
             Contains("RateLimitQuotaBucketSettings"));
  CHECK_THAT(problem("domain: shop\nbucket_matchers: {on_no_match: {" + bucket() + "}}"), Contains("rlqs_server"));
}

TEST_CASE("it passes the interleaving suite") {
  World world(config(bucket()));
  filter::testing::Suite suite;
  suite.chain = [&world] { return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{world.filter}; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::rate_limit_quota
