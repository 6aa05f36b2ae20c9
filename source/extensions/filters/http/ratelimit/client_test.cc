#include "source/extensions/filters/http/ratelimit/client.h"

#include <algorithm>

#include <catch2/catch.hpp>

#include "envoy/service/ratelimit/v3/rls.pb.h"
#include "source/extensions/filters/http/ratelimit/filter.h"
#include "source/http/grpc.h"
#include "source/stream/format_context.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::ratelimit {
namespace {

namespace v3 = envoy::service::ratelimit::v3;
using filter::testing::Fields;
using filter::testing::Harness;
using route::RateLimitAction;
using Kind = RateLimitAction::Kind;
using v3::RateLimitResponse;

constexpr route::FilterSlot kSlot = 1;  // the harness numbers filters from 0

Settings basic() {
  Settings s;
  s.target = {.cluster = "ratelimit", .timeout = std::chrono::milliseconds(20)};
  s.domain = "shop";
  s.limits_slot = kSlot;
  s.node_cluster = "edge";
  s.stats = {{1}, {2}, {3}, {4}};
  return s;
}

route::RateLimit limit(std::vector<RateLimitAction> actions, uint32_t stage = 0) {
  return {.stage = stage, .actions = std::move(actions)};
}

RateLimitAction generic(std::string value) {
  return {.key = "generic_key", .value = std::move(value)};
}

std::shared_ptr<route::RouteRateLimits> limits(route::RateLimitList of_route, route::RateLimitList of_host = {}) {
  auto out = std::make_shared<route::RouteRateLimits>();
  out->of_route = std::move(of_route);
  out->of_host = std::make_shared<const route::RateLimitList>(std::move(of_host));
  return out;
}

struct Limited : Harness {
  Limited(Settings settings, std::shared_ptr<const route::PerFilterConfig> limits,
          std::shared_ptr<const route::PerFilterConfig> route = nullptr)
      : Harness({std::make_shared<FilterFactory>(std::move(settings))}, {std::move(route), std::move(limits)}) {}

  // "key=value,key=value" of each descriptor.
  std::vector<std::string> asked() {
    std::vector<std::string> out;
    if (calls.grpc.empty()) return out;
    v3::RateLimitRequest question;
    REQUIRE(question.ParseFromString(calls.grpc[0]->messages.at(0)));
    for (const auto& descriptor : question.descriptors()) {
      std::string text;
      for (const auto& entry : descriptor.entries()) {
        text += (text.empty() ? "" : ",") + entry.key() + "=" + entry.value();
      }
      out.push_back(text);
    }
    return out;
  }
  void answer(const RateLimitResponse& response) {
    calls.grpc[0]->message(response.SerializeAsString());
    calls.grpc[0]->end(0);
  }
};

RateLimitResponse verdict(RateLimitResponse::Code code) {
  RateLimitResponse out;
  out.set_overall_code(code);
  return out;
}

using Texts = std::vector<std::string>;

TEST_CASE("a descriptor has an entry for each action") {
  match::HeaderMatcher matcher{.name = "x-a", .kind = match::HeaderMatcher::Kind::kPresent};
  Limited h(basic(), limits({limit({generic("v"),
                                    {.kind = Kind::kSourceCluster, .key = "source_cluster"},
                                    {.kind = Kind::kRemoteAddress, .key = "remote_address"},
                                    {.kind = Kind::kHeader, .key = "a", .header = "x-a"},
                                    {.kind = Kind::kHeader, .key = "p", .header = ":path"},
                                    {.kind = Kind::kHeader, .key = "n", .header = "x-n", .skip_if_absent = true},
                                    {.kind = Kind::kHeaderMatch, .key = "m", .value = "yes", .headers = {matcher}}})}));
  h.stream.info().downstream_remote_address = "[::1]:5000";
  h.request("GET", {{"x-a", "1"}}, true);
  CHECK(h.asked() == Texts{"generic_key=v,source_cluster=edge,remote_address=::1,a=1,p=/,m=yes"});
  CHECK(h.calls.grpc[0]->request.timeout == std::chrono::milliseconds(20));
  CHECK(h.terminal.heads == 0);
  h.answer(verdict(RateLimitResponse::OK));
  CHECK(h.terminal.complete);
  CHECK(h.counted({1}) == 1);
}

match::QueryMatcher present(const std::string& name) {
  match::QueryMatcher out;
  out.name = name;
  return out;
}

TEST_CASE("descriptors may hold ranges of addresses, and parameters of the query") {
  const auto range = *net::Cidr::make("10.0.0.0", 8);
  Limited h(
      basic(),
      limits(
          {limit({{.kind = Kind::kMaskedAddress, .key = "masked", .v4_bits = 12},
                  {.kind = Kind::kAddressMatch, .key = "inside", .value = "yes", .ranges = {range}},
                  {.kind = Kind::kQuery, .key = "q", .parameter = "a"},
                  {.kind = Kind::kQuery, .key = "n", .parameter = "none", .skip_if_absent = true},
                  {.kind = Kind::kQueryMatch, .key = "m", .value = "has b", .query = {present("b")}}}),
           limit({{.kind = Kind::kAddressMatch, .key = "x", .value = "x", .expect_match = false, .ranges = {range}}}),
           limit({{.kind = Kind::kQuery, .key = "x", .parameter = "none"}}),
           limit({{.kind = Kind::kQueryMatch, .key = "x", .value = "x", .query = {present("none")}}})}));
  h.stream.info().downstream_remote_address = "10.27.1.2:5000";
  h.stream.request().path = "/?a=x%41%2&b&a=2";
  h.request("GET", {}, true);
  CHECK(h.asked() == Texts{"masked=10.16.0.0/12,inside=yes,q=xA%2,m=has b"});
}

TEST_CASE("an address of IPv6 is masked as such; what is no address has no range") {
  const std::string address = GENERATE("[2001:db8:1:2::3]:80", "/run/client.sock", "");
  Limited h(basic(), limits({limit({{.kind = Kind::kMaskedAddress, .key = "masked", .v6_bits = 48}}),
                             limit({{.kind = Kind::kAddressMatch,
                                     .key = "x",
                                     .value = "x",
                                     .ranges = {*net::Cidr::make("10.0.0.0", 8)}}})}));
  h.stream.info().downstream_remote_address = address;
  h.request("GET", {}, true);
  CHECK(h.asked() == (address.starts_with('[') ? Texts{"masked=2001:db8:1::/48"} : Texts{}));
}

TEST_CASE("a limit says what a request costs") {
  route::RateLimit costly = limit({generic("v")});
  costly.hits_addend = 5;
  Limited h(basic(), limits({costly, limit({generic("v")})}));
  h.request("GET", {}, true);
  v3::RateLimitRequest question;
  REQUIRE(question.ParseFromString(h.calls.grpc[0]->messages.at(0)));
  CHECK(question.descriptors(0).hits_addend().value() == 5);
  CHECK_FALSE(question.descriptors(1).has_hits_addend());
}

TEST_CASE("an action without a value drops its descriptor; without any nobody is asked") {
  Limited h(basic(), limits({limit({generic("v"), {.kind = Kind::kHeader, .key = "a", .header = "x-a"}}),
                             limit({{.kind = Kind::kRemoteAddress, .key = "remote_address"}}),
                             limit({{.kind = Kind::kDestinationCluster, .key = "destination_cluster"}}),
                             limit({generic("other stage")}, 1)}));
  h.request("GET", {}, true);
  CHECK(h.asked().empty());
  CHECK(h.terminal.complete);
}

TEST_CASE("what is there and empty counts, and so does text that is not ASCII") {
  Limited h(basic(), limits({limit({{.kind = Kind::kHeader, .key = "a", .header = "x-a"}}),
                             limit({{.kind = Kind::kHeader, .key = "u", .header = "x-u"}}),
                             limit({{.kind = Kind::kHeader, .key = "l", .header = "x-l"}}),
                             limit({{.kind = Kind::kQuery, .key = "q", .parameter = "q"}})}));
  h.stream.request().path = "/?q=";
  h.request("GET", {{"x-a", ""}, {"x-u", "J\xc3\xbcrgen"}, {"x-l", "1"}, {"x-l", ""}}, true);
  CHECK(h.asked() == Texts{"a=", "u=J\xc3\xbcrgen", "l=1,", "q="});
}

TEST_CASE("a value that protobuf cannot hold counts, and hides no other one") {
  const std::string path = GENERATE("/?q=v", "/?q=%ff");
  Limited h(basic(), limits({limit({generic("v")}), limit({{.kind = Kind::kHeader, .key = "a", .header = "x-a"}}),
                             limit({{.kind = Kind::kQuery, .key = "q", .parameter = "q"}})}));
  h.stream.request().path = path;
  h.request("GET", {{"x-a", "b\xff"}}, true);
  CHECK(h.asked() == Texts{"generic_key=v", "a=b!", path == "/?q=v" ? "q=v" : "q=!"});
  CHECK(h.counted({2}) == 0);
}

TEST_CASE("the host's limits count as the route says") {
  const route::RateLimitList of_route{limit({generic("route")})}, of_host{limit({generic("host")})};
  const auto asked = [](std::shared_ptr<route::RouteRateLimits> limits, std::shared_ptr<RouteSettings> route = nullptr,
                        Settings settings = basic()) {
    Limited h(std::move(settings), std::move(limits), std::move(route));
    h.request("GET", {}, true);
    return h.asked();
  };
  CHECK(asked(limits(of_route, of_host)) == Texts{"generic_key=route"});
  CHECK(asked(limits({}, of_host)) == Texts{"generic_key=host"});
  auto both = limits(of_route, of_host);
  both->include_host = true;
  CHECK(asked(both) == Texts{"generic_key=route", "generic_key=host"});
  auto include = std::make_shared<RouteSettings>();
  include->host_limits = RouteSettings::HostLimits::kInclude;
  CHECK(asked(limits(of_route, of_host), include) == Texts{"generic_key=route", "generic_key=host"});
  auto ignore = std::make_shared<RouteSettings>();
  ignore->host_limits = RouteSettings::HostLimits::kIgnore;
  CHECK(asked(limits({}, of_host), ignore).empty());
  auto own = std::make_shared<RouteSettings>();
  own->limits = {limit({generic("own")})};
  CHECK(asked(limits(of_route, of_host), own) == Texts{"generic_key=own"});
  Settings all = basic();
  all.limits = {limit({generic("filter")})};
  CHECK(asked(limits(of_route, of_host), nullptr, std::move(all)) == Texts{"generic_key=filter"});
  Settings under = basic();
  under.limits = {limit({generic("filter")})};
  CHECK(asked(limits(of_route, of_host), own, std::move(under)) == Texts{"generic_key=own"});
  own->host_limits = RouteSettings::HostLimits::kInclude;
  CHECK(asked(limits(of_route, of_host), own) == Texts{"generic_key=own"});
}

TEST_CASE("a request over the limit is refused") {
  Settings s = basic();
  s.quota_headers = s.resource_exhausted = true;
  const bool grpc = GENERATE(false, true);
  Limited h(std::move(s), limits({limit({generic("v")})}));
  h.request("POST", grpc ? Fields{{"content-type", "application/grpc"}} : Fields{}, true);
  RateLimitResponse over = verdict(RateLimitResponse::OVER_LIMIT);
  auto& status = *over.add_statuses();
  status.mutable_current_limit()->set_requests_per_unit(10);
  status.mutable_current_limit()->set_unit(RateLimitResponse::RateLimit::MINUTE);
  status.mutable_duration_until_reset()->set_seconds(42);
  h.answer(over);
  const Fields quota{{"x-envoy-ratelimited", "true"},
                     {"x-ratelimit-limit", "10, 10;w=60"},
                     {"x-ratelimit-remaining", "0"},
                     {"x-ratelimit-reset", "42"}};
  Fields due =
      grpc ? Fields{{"content-type", "application/grpc"}, {"grpc-status", "8"}} : Fields{{"content-length", "0"}};
  due.insert(due.end(), quota.begin(), quota.end());
  CHECK(h.client.status == (grpc ? 200 : 429));
  CHECK(h.client.headers == due);
  CHECK(h.counted({3}) == 1);
  CHECK(h.stream.info().response_flags.has(stream::ResponseFlag::kRateLimited));
  CHECK(h.terminal.heads == 0);
}

TEST_CASE("a gRPC client is told what the status of a refusal maps to") {
  const auto [status, told] = GENERATE(table<uint16_t, std::string>({{429, "14"}, {403, "7"}}));
  Settings s = basic();
  s.status = status;
  Limited h(std::move(s), limits({limit({generic("v")})}));
  h.request("POST", {{"content-type", "application/grpc"}}, true);

  h.answer(verdict(RateLimitResponse::OVER_LIMIT));

  CHECK(std::find(h.client.headers.begin(), h.client.headers.end(), Fields::value_type("grpc-status", told)) !=
        h.client.headers.end());
}

TEST_CASE("headers of the answer go onto the request and the response") {
  Limited h(basic(), limits({limit({generic("v")})}));
  h.request("GET", {}, true);
  RateLimitResponse ok = verdict(RateLimitResponse::OK);
  auto& request = *ok.add_request_headers_to_add();
  request.set_key("x-r");
  request.set_value("1");
  auto& response = *ok.add_response_headers_to_add();
  response.set_key("x-s");
  response.set_value("2");
  h.answer(ok);
  CHECK(h.terminal.headers == Fields{{"x-r", "1"}});
  h.respond(200, {}, true);
  CHECK(h.client.headers == Fields{{"x-s", "2"}});
}

TEST_CASE("a service that fails lets requests pass, or refuses them") {
  const bool deny = GENERATE(false, true);
  const bool answers = GENERATE(false, true);
  Settings s = basic();
  s.failure_mode_deny = deny;
  Limited h(std::move(s), limits({limit({generic("v")})}));
  h.request("GET", {}, true);
  if (answers) {
    h.answer(verdict(RateLimitResponse::UNKNOWN));
  } else {
    h.calls.grpc[0]->end(4);
  }
  CHECK(h.counted({2}) == 1);
  CHECK(h.counted({4}) == (deny ? 0 : 1));
  CHECK(h.terminal.complete == !deny);
  if (deny) CHECK(h.client.status == 500);
  if (deny) CHECK(h.stream.info().response_flags.has(stream::ResponseFlag::kRateLimitServiceError));
}

v3::RateLimitRequest questionOf(Limited& h) {
  v3::RateLimitRequest question;
  REQUIRE(question.ParseFromString(h.calls.grpc.at(0)->messages.at(0)));
  return question;
}

// Makes "METHOD" of the request, or nothing of one with the method HEAD.
struct MethodFormat final : route::ValueFormatter {
  void format(const stream::FormatContext& context, std::string& out) const override {
    if (context.request->method != "HEAD") out += context.request->method;
  }
};

TEST_CASE("text in metadata describes a request; what is no text is not there") {
  RateLimitAction plain{.kind = Kind::kDynamicMetadata, .key = "user", .metadata = {"jwt", {"sub"}}};
  RateLimitAction with_default{.kind = Kind::kDynamicMetadata, .key = "d", .metadata = {"jwt", {"none"}}};
  with_default.default_value = "nobody";
  RateLimitAction skipped = plain;
  skipped.metadata.path = {"level"};
  skipped.skip_if_absent = true;
  RateLimitAction dropped = skipped;
  dropped.skip_if_absent = false;
  Limited h(basic(), limits({limit({plain, skipped, with_default}), limit({generic("v"), dropped})}));
  h.stream.info().metadata().set("jwt", "sub", {std::string("anna")});
  h.stream.info().metadata().set("jwt", "level", {7.0});
  h.request("GET", {}, true);
  CHECK(h.asked() == Texts{"user=anna,d=nobody"});
}

TEST_CASE("a value may be made by a format, and a default stands for an empty one") {
  RateLimitAction made = generic("%REQ(:METHOD)%");
  made.formatter = std::make_shared<MethodFormat>();
  RateLimitAction with_default = made;
  with_default.default_value = "none";
  const auto asked = [&](const char* method) {
    Limited h(basic(), limits({limit({made}), limit({with_default})}));
    h.request(method, {}, true);
    return h.asked();
  };
  CHECK(asked("PUT") == Texts{"generic_key=PUT", "generic_key=PUT"});
  CHECK(asked("HEAD") == Texts{"generic_key=none"});
}

struct MethodValue final : route::RequestValue {
  std::optional<std::string> get(const stream::FormatContext& context) const override {
    if (context.request->method == "HEAD") return std::nullopt;
    return std::string(context.request->method);
  }
};

TEST_CASE("a value of an extension that is not there drops its descriptor, or is skipped") {
  RateLimitAction made{.kind = Kind::kExtension, .key = "method"};
  made.source = std::make_shared<MethodValue>();
  RateLimitAction skipped = made;
  skipped.skip_if_absent = true;
  const auto asked = [&](const char* method) {
    Limited h(basic(), limits({limit({generic("a"), made}), limit({generic("b"), skipped})}));
    h.request(method, {}, true);
    return h.asked();
  };
  CHECK(asked("PUT") == Texts{"generic_key=a,method=PUT", "generic_key=b,method=PUT"});
  CHECK(asked("HEAD") == Texts{"generic_key=b"});
}

TEST_CASE("a default of a match that does not apply is not told") {
  RateLimitAction match{.kind = Kind::kQueryMatch, .key = "m", .value = "v", .query = {present("none")}};
  match.default_value = "default";
  Limited h(basic(), limits({limit({match})}));
  h.request("GET", {}, true);
  CHECK(h.asked().empty());
}

TEST_CASE("what a request costs may be made by a format; what is no number counts as 1") {
  struct Number final : route::ValueFormatter {
    explicit Number(std::string text) : text(std::move(text)) {}
    void format(const stream::FormatContext&, std::string& out) const override { out += text; }
    std::string text;
  };
  route::RateLimitList list;
  for (const char* text : {"12", "-1", "x", "", "1000000001"}) {
    list.push_back(limit({generic("v")}));
    list.back().hits_format = std::make_shared<Number>(text);
  }
  list[0].negative_hits = true;
  Limited h(basic(), limits(list));
  h.request("GET", {}, true);
  const v3::RateLimitRequest question = questionOf(h);
  CHECK(question.descriptors(0).hits_addend().value() == 12);
  CHECK(question.descriptors(0).is_negative_hits());
  for (int i = 1; i < 5; ++i) CHECK_FALSE(question.descriptors(i).has_hits_addend());
}

TEST_CASE("a limit of the configuration or of metadata goes to the service") {
  route::RateLimit fixed = limit({generic("a")});
  fixed.limit = {42, 3};
  route::RateLimit told = limit({generic("b")});
  told.limit_metadata = {"m", {"limit"}};
  route::RateLimit wrong = limit({generic("c")});
  wrong.limit_metadata = {"m", {"wrong"}};
  Limited h(basic(), limits({fixed, told, wrong}));
  const stream::MetadataFields good{{"requests_per_unit", {7.0}}, {"unit", {std::string("DAY")}}};
  const stream::MetadataFields bad{{"requests_per_unit", {-7.0}}, {"unit", {std::string("DAY")}}};
  h.stream.info().metadata().set("m", "limit", {good});
  h.stream.info().metadata().set("m", "wrong", {bad});
  h.request("GET", {}, true);
  const v3::RateLimitRequest question = questionOf(h);
  CHECK(question.descriptors(0).limit().requests_per_unit() == 42);
  CHECK(question.descriptors(0).limit().unit() == envoy::type::v3::HOUR);
  CHECK(question.descriptors(1).limit().requests_per_unit() == 7);
  CHECK(question.descriptors(1).limit().unit() == envoy::type::v3::DAY);
  CHECK_FALSE(question.descriptors(2).has_limit());
}

TEST_CASE("a limit that waits for the end is told then, and nobody waits for the answer") {
  route::RateLimit late = limit({generic("late")});
  late.at_end = true;
  Limited h(basic(), limits({late}));
  h.request("GET", {}, true);
  CHECK(h.calls.grpc.empty());
  CHECK(h.calls.detached.empty());
  CHECK(h.terminal.complete);
  h.respond(200, {}, true);
  h.runner.reset();
  REQUIRE(h.calls.detached.size() == 1);
  const filter::HttpCallRequest& call = h.calls.detached[0];
  CHECK(call.cluster == "ratelimit");
  CHECK(call.path == kMethodPath);
  CHECK(call.timeout == std::chrono::milliseconds(20));
  v3::RateLimitRequest question;
  REQUIRE(question.ParseFromString(call.body.substr(http::grpc::kFrameHead)));
  CHECK(question.descriptors(0).entries(0).value() == "late");
  CHECK(http::grpc::messageLength(call.body) == call.body.size() - http::grpc::kFrameHead);
}

TEST_CASE("only requests from inside, or only others, are asked about") {
  const auto asks = [](filter::RequestType type, const Fields& fields) {
    Settings s = basic();
    s.request_type = type;
    Limited h(std::move(s), limits({limit({generic("v")})}));
    h.request("GET", fields, true);
    return !h.calls.grpc.empty();
  };
  const Fields internal{{"x-envoy-internal", "true"}};
  CHECK(asks(filter::RequestType::kInternal, internal));
  CHECK_FALSE(asks(filter::RequestType::kInternal, {}));
  CHECK(asks(filter::RequestType::kExternal, {}));
  CHECK_FALSE(asks(filter::RequestType::kExternal, internal));
  CHECK(asks(filter::RequestType::kBoth, internal));
}

TEST_CASE("shares of requests are asked about and refused") {
  Settings off = basic();
  off.enabled = {0, 100};
  Limited silent(std::move(off), limits({limit({generic("v")})}));
  silent.request("GET", {}, true);
  CHECK(silent.calls.grpc.empty());

  Settings lenient = basic();
  lenient.enforced = {0, 100};
  Limited h(std::move(lenient), limits({limit({generic("v")})}));
  h.request("GET", {}, true);
  h.answer(verdict(RateLimitResponse::OVER_LIMIT));
  CHECK(h.terminal.complete);
  CHECK(h.counted({3}) == 1);
  h.respond(200, {}, true);
  CHECK(h.client.headers.empty());
}

TEST_CASE("the share that is refused while the service fails stands before failure_mode_deny") {
  const bool deny = GENERATE(false, true);
  Settings s = basic();
  s.failure_mode_deny = !deny;
  s.failure_mode_deny_share = runtime::Fraction{deny ? 1u : 0u, 1};
  Limited h(std::move(s), limits({limit({generic("v")})}));
  h.request("GET", {}, true);
  h.calls.grpc[0]->end(14);
  CHECK(h.terminal.complete == !deny);
}

TEST_CASE("a limit may be left out of the headers, and tell when to come again") {
  Settings s = basic();
  s.quota_headers = s.retry_after = true;
  route::RateLimit hidden = limit({generic("hidden")});
  hidden.quota_headers = route::QuotaHeaders::kOff;
  Limited h(std::move(s), limits({hidden, limit({generic("told")})}));
  h.request("GET", {}, true);
  RateLimitResponse over = verdict(RateLimitResponse::OVER_LIMIT);
  for (uint32_t i = 0; i < 2; ++i) {
    auto& status = *over.add_statuses();
    status.set_code(i == 0 ? RateLimitResponse::OVER_LIMIT : RateLimitResponse::OK);
    status.mutable_current_limit()->set_requests_per_unit(10 + i);
    status.set_limit_remaining(i);
    status.mutable_duration_until_reset()->set_seconds(40 + i);
  }
  h.answer(over);
  CHECK(h.client.headers == Fields{{"content-length", "0"},
                                   {"x-envoy-ratelimited", "true"},
                                   {"retry-after", "40"},
                                   {"x-ratelimit-limit", "11"},
                                   {"x-ratelimit-remaining", "1"},
                                   {"x-ratelimit-reset", "41"}});
}

TEST_CASE("metadata of the answer is left for others") {
  Settings s = basic();
  s.metadata_namespace = "limits";
  Limited h(std::move(s), limits({limit({generic("v")})}));
  h.request("GET", {}, true);
  RateLimitResponse ok = verdict(RateLimitResponse::OK);
  (*ok.mutable_dynamic_metadata()->mutable_fields())["tier"].set_string_value("gold");
  h.answer(ok);
  REQUIRE(h.stream.info().dynamic_metadata);
  const stream::MetadataValue* tier = h.stream.info().dynamic_metadata->find("limits", {"tier"});
  REQUIRE(tier != nullptr);
  CHECK(std::get<std::string>(tier->value) == "gold");
}

TEST_CASE("it passes the interleaving suite") {
  const bool deny = GENERATE(false, true);
  filter::testing::Suite suite;
  suite.max_runs = 4000;
  suite.chain = [&] {
    Settings s = basic();
    s.failure_mode_deny = deny;
    s.limits = {limit({generic("v")})};
    return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{std::make_shared<FilterFactory>(std::move(s))};
  };
  suite.grpc_answer = [](const filter::GrpcCallRequest&, const std::string&) {
    return verdict(RateLimitResponse::OK).SerializeAsString();
  };
  suite.bad_grpc_answers = {"\xff", verdict(RateLimitResponse::OVER_LIMIT).SerializeAsString()};
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::ratelimit
