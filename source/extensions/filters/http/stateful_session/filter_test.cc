#include "source/extensions/filters/http/stateful_session/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/stateful_session/v3/stateful_session.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/http/stateful_session/factory.h"
#include "source/extensions/filters/http/stateful_session/session_value.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::stateful_session {
namespace {

using filter::testing::Fields;
using filter::testing::Harness;
using std::chrono::seconds;
using Place = Settings::Place;

constexpr seconds kNow{1700000000};

Settings byCookie(std::string path = "/", std::optional<seconds> max_age = {}) {
  Settings out{.place = Place::kCookie};
  out.cookie = {.name = "host", .path = std::move(path), .max_age = max_age};
  return out;
}

Settings byHeader() {
  return {.place = Place::kHeader, .header = "x-host"};
}

Settings byEnvelope() {
  return {.place = Place::kEnvelope, .header = "x-session"};
}

Settings strict(Settings settings, uint16_t status = 503) {
  settings.strict = true;
  settings.strict_status = status;
  return settings;
}

std::string cookieOf(const SessionValue& value) {
  return "host=\"" + encodeCookie(value) + "\"";
}

struct Session : Harness {
  explicit Session(Settings settings, std::shared_ptr<const route::PerFilterConfig> of_route = nullptr)
      : Session(std::move(settings), std::make_shared<observability::StatsRegistry>(), std::move(of_route)) {}

  void ask(const Fields& fields, std::string_view path = "/") {
    stream.info().start_time = std::chrono::system_clock::time_point(kNow);
    stream.request().path = stream.arena().copy(path);
    request("GET", fields, true);
  }
  // The host that was asked for; "!" behind it if no other will do.
  std::string wanted() const {
    const filter::UpstreamChoice* choice = stream.upstreamChoice();
    return choice == nullptr ? "" : std::string(choice->host) + (choice->only_host ? "!" : "");
  }
  void answer(std::string_view host, const Fields& fields = {}) {
    stream.info().upstream_host = host;
    stream.info().response_code_details = "via_upstream";
    respond(200, fields, true);
  }
  std::string counted() {
    std::string out;
    for (const char* name : {"routed", "failed_open", "failed_closed", "no_session"}) {
      if (stream.cells().read(registry_->counter(std::string("s.") + name).id) > 0) out += std::string(name) + " ";
    }
    return out;
  }

 private:
  Session(Settings settings, std::shared_ptr<observability::StatsRegistry> registry,
          std::shared_ptr<const route::PerFilterConfig> of_route)
      : Harness({std::make_shared<FilterFactory>(
                    FilterSettings{std::move(settings),
                                   Counters{registry->counter("s.routed"), registry->counter("s.failed_open"),
                                            registry->counter("s.failed_closed"), registry->counter("s.no_session")}})},
                {std::move(of_route)}),
        registry_(std::move(registry)) {}

  const std::shared_ptr<observability::StatsRegistry> registry_;
};

TEST_CASE("the first answer of a session names its host in a cookie") {
  Session h(byCookie("/", seconds(60)));
  h.ask({});
  CHECK(h.wanted().empty());

  h.answer("10.0.0.1:80");

  CHECK(h.client.headers ==
        Fields{{"set-cookie", "host=\"CgsxMC4wLjAuMTo4MBC84s+qBg==\"; Max-Age=60; Path=/; HttpOnly"}});
  CHECK(h.counted() == "no_session ");
}

TEST_CASE("a cookie without a ttl names its host without an end") {
  Session h(byCookie());
  h.ask({});

  h.answer("10.0.0.1:80");

  CHECK(h.client.headers == Fields{{"set-cookie", cookieOf({"10.0.0.1:80", {}}) + "; Path=/; HttpOnly"}});
}

TEST_CASE("a request of a session goes to its host, and nothing is set anew") {
  Session h(byCookie());
  h.ask({{"cookie", "a=b; " + cookieOf({"10.0.0.1:80", kNow})}});
  CHECK(h.wanted() == "10.0.0.1:80");

  h.answer("10.0.0.1:80");

  CHECK(h.client.headers.empty());
  CHECK(h.counted() == "routed ");
}

TEST_CASE("a session moves to the host that answered in its host's stead") {
  Session h(byCookie());
  h.ask({{"cookie", cookieOf({"10.0.0.1:80", {}})}});

  h.answer("10.0.0.2:80");

  CHECK(h.client.headers == Fields{{"set-cookie", cookieOf({"10.0.0.2:80", {}}) + "; Path=/; HttpOnly"}});
  CHECK(h.counted() == "failed_open ");
}

TEST_CASE("a cookie that is over or means nothing is no session") {
  for (const std::string& cookie : {cookieOf({"10.0.0.1:80", kNow - seconds(1)}), std::string("host=x"),
                                    std::string("host="), std::string("other=") + encodeHeader("10.0.0.1:80")}) {
    CAPTURE(cookie);
    Session h(byCookie());
    h.ask({{"cookie", cookie}});

    CHECK(h.wanted().empty());
  }
}

TEST_CASE("a host that could not answer gets no session") {
  Session h(byCookie());
  h.ask({});
  h.stream.info().upstream_host = "10.0.0.1:80";

  h.runner->localReply({503, "", "upstream_reset_before_response_started"});

  CHECK(h.client.status == 503);
  for (const auto& [name, value] : h.client.headers) CHECK(name != "set-cookie");
}

TEST_CASE("a cookie with a path is for requests below it") {
  const std::pair<const char*, bool> paths[] = {
      {"/shop", true}, {"/shop?x", true}, {"/shop/a", true}, {"/shops", false}, {"/", false}};
  for (const auto& [path, in_session] : paths) {
    CAPTURE(path);
    Session h(byCookie("/shop"));
    h.ask({{"cookie", cookieOf({"10.0.0.1:80", {}})}}, path);
    h.answer("10.0.0.2:80");
    CHECK(h.wanted().empty() != in_session);
    CHECK(h.client.headers.empty() != in_session);
  }
}

TEST_CASE("a header keeps a session, too") {
  Session first(byHeader());
  first.ask({});
  first.answer("10.0.0.1:80");
  CHECK(first.client.headers == Fields{{"x-host", "MTAuMC4wLjE6ODA="}});

  Session second(byHeader());
  second.ask({{"x-host", "MTAuMC4wLjE6ODA="}});
  CHECK(second.wanted() == "10.0.0.1:80");
  second.answer("10.0.0.1:80");
  CHECK(second.client.headers.empty());
}

TEST_CASE("a session that the host begins comes back to it, and to the host as it said it") {
  Session first(byEnvelope());
  first.ask({});
  first.answer("10.0.0.1:80", {{"x-session", "abc"}});
  CHECK(first.client.headers == Fields{{"x-session", "MTAuMC4wLjE6ODA=;UV:YWJj"}});
  CHECK(first.counted() == "no_session ");

  Session second(byEnvelope());
  second.ask({{"x-session", "MTAuMC4wLjE6ODA=;UV:YWJj"}});
  CHECK(second.wanted() == "10.0.0.1:80");
  CHECK(second.stream.request().get("x-session") == "abc");
  // What the host says anew goes into an envelope, too, although the host is the same.
  second.answer("10.0.0.1:80", {{"x-session", "def"}});
  CHECK(second.client.headers == Fields{{"x-session", "MTAuMC4wLjE6ODA=;UV:ZGVm"}});
  CHECK(second.counted() == "routed ");
}

TEST_CASE("an answer without the header, or with several, gets no envelope") {
  const Fields fields = GENERATE(Fields{}, Fields{{"x-session", "a"}, {"x-session", "b"}});
  Session h(byEnvelope());
  h.ask({});

  h.answer("10.0.0.1:80", fields);

  CHECK(h.client.headers == fields);
}

TEST_CASE("a header that is no envelope reaches the host as it is, and asks for none") {
  const std::string text = GENERATE("abc", "MTAuMC4wLjE6ODA=", "MTAuMC4wLjE6ODA=;UV:YQ0KeDogMQ==");
  Session h(strict(byEnvelope()));

  h.ask({{"x-session", text}});

  CHECK(h.wanted().empty());
  CHECK(h.stream.request().get("x-session") == text);
}

TEST_CASE("an envelope whose host left is strict as a header is") {
  Session h(strict(byEnvelope(), 410));
  h.ask({{"x-session", "MTAuMC4wLjE6ODA=;UV:YWJj"}});
  CHECK(h.wanted() == "10.0.0.1:80!");

  h.runner->localReply(
      {503, "no healthy upstream", "no_healthy_upstream", {}, stream::ResponseFlag::kNoHealthyUpstream});

  CHECK(h.client.status == 410);
}

TEST_CASE("a strict session without its host is answered with the configured status") {
  Session h(strict(byHeader(), 410));
  h.ask({{"x-host", encodeHeader("10.0.0.1:80")}});
  CHECK(h.wanted() == "10.0.0.1:80!");

  h.runner->localReply(
      {503, "no healthy upstream", "no_healthy_upstream", {}, stream::ResponseFlag::kNoHealthyUpstream});

  CHECK(h.client.status == 410);
  CHECK(h.counted() == "failed_closed ");
}

TEST_CASE("a strict filter does not change answers that have nothing to do with a session's host") {
  const Fields session = {{"x-host", encodeHeader("10.0.0.1:80")}};
  Session begins(strict(byHeader(), 410)), refused(strict(byHeader(), 410)), loose(byHeader());
  begins.ask({});
  begins.runner->localReply({503, "", "no_healthy_upstream", {}, stream::ResponseFlag::kNoHealthyUpstream});
  refused.ask(session);
  refused.runner->localReply({403, "", "denied"});
  loose.ask(session);
  loose.runner->localReply({503, "", "no_healthy_upstream", {}, stream::ResponseFlag::kNoHealthyUpstream});

  CHECK(begins.client.status == 503);
  CHECK(refused.client.status == 403);
  CHECK(loose.client.status == 503);
  CHECK(begins.counted() + refused.counted() + loose.counted() == "");
}

TEST_CASE("a route may have another place for sessions, or none") {
  Session other(byCookie(), std::make_shared<RouteSettings>(false, byHeader()));
  other.ask({{"cookie", cookieOf({"10.0.0.1:80", {}})}});
  CHECK(other.wanted().empty());
  other.answer("10.0.0.2:80");
  CHECK(other.client.headers == Fields{{"x-host", encodeHeader("10.0.0.2:80")}});

  Session off(byHeader(), std::make_shared<RouteSettings>(true));
  off.ask({{"x-host", encodeHeader("10.0.0.1:80")}});
  off.answer("10.0.0.2:80");
  CHECK(off.wanted().empty());
  CHECK(off.client.headers.empty());
}

TEST_CASE("without a place for sessions the filter does nothing") {
  Session h(Settings{});
  h.ask({});
  h.answer("10.0.0.1:80");
  CHECK(h.client.headers.empty());
  CHECK(h.counted() == "");
}

TEST_CASE("it passes the interleaving suite") {
  for (const Settings& settings : {byCookie(), strict(byHeader()), byEnvelope()}) {
    filter::testing::Suite suite;
    suite.chain = [&] {
      return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{
          std::make_shared<FilterFactory>(FilterSettings{settings, {}})};
    };
    REQUIRE(runInterleavings(suite) == "");
    REQUIRE(runOverCodecs(suite) == "");
  }
}

// --- configuration -------------------------------------------------------------------------------------------------

std::string problems(const std::string& json) {
  using envoy::extensions::filters::http::stateful_session::v3::StatefulSession;
  config::testing::TestWorld world;
  registerFactory(world.registry);
  const auto* factory = world.registry.http_filters.find(StatefulSession::descriptor()->full_name());
  factory->compile(config::testing::fromJson<StatefulSession>(json), world.context("http.in."));
  std::string out = world.problems();
  for (const config::ConfigError& warning : world.errors.warnings()) out += "warning " + warning.toString();
  return out;
}

std::string stateOf(const std::string& type, const std::string& fields) {
  return "session_state: {name: 's', typed_config: {'@type': 'type.googleapis.com/" + type + "', " + fields + "}}";
}

const std::string kCookieState = "envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState";
const std::string kHeaderState = "envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState";
const std::string kEnvelopeState = "envoy.extensions.http.stateful_session.envelope.v3.EnvelopeSessionState";

TEST_CASE("its configuration is checked where it would break a header or say nothing") {
  const std::string at = "session_state.typed_config";
  CHECK(problems("{}") == "");
  CHECK(problems("{strict: true, status_on_strict_destination_not_found: 410, stat_prefix: 'p', " +
                 stateOf(kCookieState, "cookie: {name: 'a', ttl: '60s', path: '/', attributes: [{name: 'Secure'}]}") +
                 "}") == "");
  CHECK(problems("{" + stateOf(kHeaderState, "name: 'X-Host'") + "}") == "");
  CHECK(problems("{" + stateOf(kEnvelopeState, "header: {name: 'X-Session'}") + "}") == "");
  CHECK(problems("{" + stateOf(kEnvelopeState, "header: {name: 'a b'}") + "}")
            .starts_with(at + ".header.name: is no header name"));
  for (const char* name : {"Host", "content-length", "connection"}) {
    CHECK(problems("{" + stateOf(kEnvelopeState, "header: {name: '" + std::string(name) + "'}") + "}")
              .starts_with(at + ".header.name: belongs to one message"));
  }
  CHECK(problems("{" + stateOf(kHeaderState, "name: ':path'") + "}").starts_with(at + ".name: is no header name"));
  CHECK(problems("{" + stateOf(kCookieState, "cookie: {name: 'a=b'}") + "}")
            .starts_with(at + ".cookie.name: is no cookie's name"));
  const auto cookieProblem = [](const std::string& fields) {
    return problems("{" + stateOf(kCookieState, "cookie: {name: 'a', " + fields + "}") + "}");
  };
  const std::string breaks = ": may not hold ';' or control bytes: it becomes a part of a set-cookie header";
  CHECK(cookieProblem("path: '/;b'") == at + ".cookie.path" + breaks);
  CHECK(cookieProblem("attributes: [{name: 'b; c'}]") == at + ".cookie.attributes[0].name" + breaks);
  CHECK(cookieProblem("attributes: [{name: 'b', value: ';'}]") == at + ".cookie.attributes[0].value" + breaks);
  CHECK(cookieProblem("attributes: [{name: 'b'}, {name: 'c', value: '\\u0001'}]") ==
        at + ".cookie.attributes[1].value" + breaks);
  CHECK(
      problems("{" + stateOf("envoy.extensions.filters.http.stateful_session.v3.StatefulSession", "strict: true") + "}")
          .find("keeps no sessions; known: " + kCookieState) != std::string::npos);
  CHECK(problems("{strict: true, status_on_strict_destination_not_found: 99}") ==
        "status_on_strict_destination_not_found: is 99; a final status is 200 to 599");
  CHECK(problems("{status_on_strict_destination_not_found: 410}") ==
        "warning status_on_strict_destination_not_found: does nothing without strict; set that, or remove it");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::stateful_session
