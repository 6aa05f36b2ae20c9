// The filter with a gRPC service.
#include "source/extensions/filters/http/ext_authz/client.h"

#include <catch2/catch.hpp>

#include "envoy/service/auth/v3/external_auth.pb.h"
#include "source/extensions/filters/http/ext_authz/filter.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::ext_authz {
namespace {

namespace v3 = envoy::service::auth::v3;
using filter::testing::Fields;
using filter::testing::Harness;
using v3::CheckResponse;

Settings basic() {
  Settings s;
  s.grpc = filter::GrpcTarget{.cluster = "authz", .timeout = std::chrono::milliseconds(200)};
  s.stats = {{1}, {2}, {3}, {4}, {5}};
  return s;
}

struct Guarded : Harness {
  explicit Guarded(Settings settings, std::shared_ptr<const route::PerFilterConfig> route = nullptr)
      : Harness({std::make_shared<FilterFactory>(std::move(settings))}, {std::move(route)}) {}

  v3::AttributeContext asked() {
    REQUIRE(calls.grpc.size() == 1);
    v3::CheckRequest out;
    REQUIRE(out.ParseFromString(calls.grpc[0]->messages.at(0)));
    CHECK(calls.grpc[0]->client_ended);
    return out.attributes();
  }
  void answer(const CheckResponse& response) {
    calls.grpc[0]->message(response.SerializeAsString());
    calls.grpc[0]->end(0);
  }
};

void add(google::protobuf::RepeatedPtrField<envoy::config::core::v3::HeaderValueOption>& list, const std::string& name,
         const std::string& value) {
  auto& header = *list.Add()->mutable_header();
  header.set_key(name);
  header.set_value(value);
}

TEST_CASE("a gRPC service is told of the request and its peers") {
  Settings s = basic();
  s.body = BodySettings{100, false};
  auto route = std::make_shared<RouteSettings>();
  route->context_extensions["tenant"] = "a";
  Guarded h(std::move(s), route);
  h.stream.info().downstream_remote_address = "[2001:db8::1]:5000";
  h.stream.info().downstream_local_address = "10.0.0.1:80";
  h.stream.request().path = "/doc?a=1";
  h.request("POST",
            {{"x-a", "1"},
             {"x-a", "2"},
             {"x-odd",
              "a\xff"
              "b"},
             {"content-length", "4"}},
            false);
  h.runner->requestData("body", true);

  const v3::AttributeContext asked = h.asked();
  CHECK(h.calls.grpc[0]->request.path == "/envoy.service.auth.v3.Authorization/Check");
  CHECK(h.calls.grpc[0]->request.timeout == std::chrono::milliseconds(200));
  CHECK(asked.source().address().socket_address().address() == "2001:db8::1");
  CHECK(asked.source().address().socket_address().port_value() == 5000);
  CHECK(asked.destination().address().socket_address().address() == "10.0.0.1");
  const auto& http = asked.request().http();
  CHECK(http.method() == "POST");
  CHECK(http.path() == "/doc?a=1");
  CHECK(http.host() == "a.example");
  CHECK(http.size() == 4);
  CHECK(http.protocol() == "HTTP/1.1");
  CHECK(http.body() == "body");
  CHECK(http.headers().at("x-a") == "1,2");
  CHECK(http.headers().at("x-odd") == "a!b");
  CHECK(http.headers().at(":path") == "/doc?a=1");
  CHECK(asked.context_extensions().at("tenant") == "a");
}

// A connection's transport that only tells.
struct TlsFacts : net::Transport {
  Status handshake(const Io&) override { return Status::kDone; }
  Result read(const Io&, char*, size_t) override { return {Status::kEnd}; }
  Result write(const Io&, const iovec*, int) override { return {Status::kDone}; }
  void sendEnd(const Io&) override {}
  const net::TlsInfo* tlsInfo() override { return &info; }
  net::TlsInfo info;
};

TEST_CASE("addresses of internal listeners are told as such") {
  Guarded h(basic());
  h.stream.info().downstream_local_address = "envoy://inner/one";
  h.request("GET", {}, true);
  const auto address = h.asked().destination().address().envoy_internal_address();
  CHECK(address.server_listener_name() == "inner");
  CHECK(address.endpoint_id() == "one");
}

TEST_CASE("a request without a path is told without, and its query stays what it is not") {
  Guarded h(basic());
  h.request("CONNECT", {}, false);
  CHECK(h.asked().request().http().path().empty());
  CHECK_FALSE(h.asked().request().http().headers().contains(":path"));
  CheckResponse ok;
  auto& parameter = *ok.mutable_ok_response()->add_query_parameters_to_set();
  parameter.set_key("a");
  parameter.set_value("1");
  h.answer(ok);
  CHECK(h.terminal.heads == 1);
  CHECK(h.stream.request().path.empty());
}

TEST_CASE("headers without a value, and with bytes that are no text, are told all the same") {
  Guarded h(basic());
  h.request("GET", {{"x-empty", ""}, {"x-odd", "\xff"}}, true);
  const auto headers = h.asked().request().http().headers();
  REQUIRE(headers.contains("x-empty"));
  CHECK(headers.at("x-empty").empty());
  CHECK(headers.at("x-odd") == "!");
}

TEST_CASE("a gRPC service is told who the peers are, and of the session and certificate if asked to") {
  const bool all = GENERATE(false, true);
  Settings s = basic();
  s.told.peer_certificate = s.told.tls_session = all;
  Guarded h(std::move(s));
  TlsFacts tls;
  tls.info.server_name = "a.example";
  tls.info.peer.uri_sans = {"spiffe://a/client"};
  tls.info.peer.dns_sans = {"client.example"};
  tls.info.peer.pem = "-----BEGIN%20CERTIFICATE";
  tls.info.local.subject = "CN=server";
  h.stream.info().downstream_transport = &tls;
  h.request("GET", {}, true);
  const v3::AttributeContext asked = h.asked();
  CHECK(asked.source().principal() == "spiffe://a/client");
  CHECK(asked.destination().principal() == "CN=server");
  CHECK(asked.source().certificate() == (all ? "-----BEGIN%20CERTIFICATE" : ""));
  CHECK(asked.tls_session().sni() == (all ? "a.example" : ""));
}

TEST_CASE("a gRPC service is told of the metadata whose namespaces are named, of filters and of the route") {
  Settings s = basic();
  s.told.namespaces = {"claims", "absent"};
  s.route_namespaces = {"owner"};
  stream::MetadataFields of_route{{"owner", {stream::MetadataFields{{"team", {std::string("red")}}}}},
                                  {"other", {stream::MetadataFields{{"a", {true}}}}}};
  route::RouteSpec route;
  route.path = "/";
  route.action = route::DirectResponseSpec{};
  route.metadata = stream::FixedMetadata(std::move(of_route), "1");
  route::VirtualHostSpec host{.name = "v", .domains = {"*"}};
  host.routes.push_back(std::move(route));
  route::TableSpec table;
  table.virtual_hosts.push_back(std::move(host));
  Harness h(filter::testing::entriesOf({std::make_shared<FilterFactory>(std::move(s))}),
            *route::Table::build(std::move(table)));
  h.stream.info().metadata().set("claims", "sub", {std::string("ada")});
  h.stream.info().metadata().set("secrets", "a", {1.0});
  h.request("GET", {}, true);

  v3::CheckRequest asked;
  REQUIRE(h.calls.grpc.size() == 1);
  REQUIRE(asked.ParseFromString(h.calls.grpc[0]->messages.at(0)));
  const auto& filters = asked.attributes().metadata_context().filter_metadata();
  REQUIRE(filters.size() == 1);
  CHECK(filters.at("claims").fields().at("sub").string_value() == "ada");
  const auto& routes = asked.attributes().route_metadata_context().filter_metadata();
  REQUIRE(routes.size() == 1);
  CHECK(routes.at("owner").fields().at("team").string_value() == "red");
}

TEST_CASE("a service that is told of no metadata gets none") {
  Guarded h(basic());
  h.stream.info().metadata().set("claims", "sub", {std::string("ada")});
  h.request("GET", {}, true);
  CHECK_FALSE(h.asked().has_metadata_context());
  CHECK_FALSE(h.asked().has_route_metadata_context());
}

TEST_CASE("headers go as they are, each by itself, if the service wants them so") {
  Settings s = basic();
  s.raw_headers = true;
  Guarded h(std::move(s));
  h.request("GET", {{"x-a", "1"}, {"x-a", "\xff"}}, true);
  const auto http = h.asked().request().http();
  CHECK(http.headers().empty());
  std::vector<std::pair<std::string, std::string>> got;
  for (const auto& header : http.header_map().headers()) got.emplace_back(header.key(), header.raw_value());
  CHECK(got.front() == std::pair<std::string, std::string>(":method", "GET"));
  REQUIRE(got.size() >= 2);
  CHECK(got[got.size() - 2] == std::pair<std::string, std::string>("x-a", "1"));
  CHECK(got.back() == std::pair<std::string, std::string>("x-a", "\xff"));
}

TEST_CASE("a gRPC service gets the body as bytes if it is not text, or if it wants to") {
  const bool wants = GENERATE(false, true);
  const bool text = GENERATE(false, true);
  Settings s = basic();
  s.body = BodySettings{100, false, wants};
  Guarded h(std::move(s));
  h.request("POST", {}, false);
  const std::string body = text ? "text" : "\xff";
  h.runner->requestData(body, true);
  const v3::AttributeContext asked = h.asked();
  CHECK(asked.request().http().raw_body() == (wants || !text ? body : ""));
  CHECK(asked.request().http().body() == (wants || !text ? "" : body));
}

TEST_CASE("a gRPC permission changes the request, its query, the response and the metadata") {
  Guarded h(basic());
  h.stream.request().path = "/doc?a=1&b=2&c=3";
  h.request("GET", {{"x-user", "root"}, {"x-drop", "1"}}, true);
  CheckResponse answer;
  auto& ok = *answer.mutable_ok_response();
  add(*ok.mutable_headers(), "x-user", "ada");
  add(*ok.mutable_headers(), "content-length", "7");
  ok.add_headers_to_remove("x-drop");
  ok.add_headers_to_remove("host");
  ok.add_query_parameters_to_remove("a");
  auto& parameter = *ok.add_query_parameters_to_set();
  parameter.set_key("b");
  parameter.set_value("9");
  add(*ok.mutable_response_headers_to_add(), "x-quota", "7");
  (*answer.mutable_dynamic_metadata()->mutable_fields())["who"].set_string_value("ada");
  h.answer(answer);

  CHECK(h.terminal.headers == Fields{{"x-user", "ada"}});
  CHECK(h.stream.request().path == "/doc?c=3&b=9");
  CHECK(h.counted({1}) == 1);
  const auto* who = h.stream.info().metadata().find("envoy.filters.http.ext_authz", {"who"});
  REQUIRE(who != nullptr);
  CHECK(std::get<std::string>(who->value) == "ada");
  h.respond(200, {}, true);
  CHECK(h.client.headers == Fields{{"x-quota", "7"}});
}

TEST_CASE("a gRPC refusal is answered as the service says") {
  Guarded h(basic());
  h.request("GET", {}, true);
  CheckResponse answer;
  answer.mutable_status()->set_code(7);
  SECTION("with its own status") {
    answer.mutable_denied_response()->mutable_status()->set_code(envoy::type::v3::Unauthorized);
    answer.mutable_denied_response()->set_body("who?");
    add(*answer.mutable_denied_response()->mutable_headers(), "www-authenticate", "Basic");
    h.answer(answer);
    CHECK(h.client.status == 401);
    CHECK(h.client.body == "who?");
    CHECK(h.client.headers.at(1) == std::pair<std::string, std::string>("www-authenticate", "Basic"));
  }
  SECTION("403 without one") {
    h.answer(answer);
    CHECK(h.client.status == 403);
  }
  CHECK(h.counted({2}) == 1);
  CHECK(h.stream.info().response_code_details == "ext_authz_denied");
}

TEST_CASE("a service that could not decide says what is answered, unless failures are allowed") {
  const bool allow = GENERATE(false, true);
  const bool says = GENERATE(false, true);
  Settings s = basic();
  s.failure_mode_allow = allow;
  Guarded h(std::move(s));
  h.request("GET", {}, true);
  CheckResponse answer;
  answer.mutable_status()->set_code(13);
  auto& error = *answer.mutable_error_response();
  if (says) error.mutable_status()->set_code(envoy::type::v3::ServiceUnavailable);
  error.set_body("later");
  h.answer(answer);
  CHECK(h.counted({3}) == 1);
  CHECK(h.terminal.complete == allow);
  if (allow) return;
  CHECK(h.client.status == (says ? 503 : 403));
  CHECK(h.client.body == "later");
  CHECK(h.stream.info().response_code_details == "ext_authz_error");
}

TEST_CASE("the rules say which headers of the request a permission changes, and whether others are errors") {
  const bool strict = GENERATE(false, true);
  Settings s = basic();
  s.rules = {.disallow_is_error = strict};  // so x-envoy-* is not allowed
  s.failure_mode_allow = true;
  s.stats.invalid = {6};
  Guarded h(std::move(s));
  h.request("GET", {}, true);
  CheckResponse answer;
  add(*answer.mutable_ok_response()->mutable_headers(), "x-envoy-a", "1");
  add(*answer.mutable_ok_response()->mutable_headers(), "x-user", "ada");
  h.answer(answer);
  CHECK(h.terminal.complete == !strict);
  if (!strict) {
    CHECK(h.terminal.headers == Fields{{"x-user", "ada"}});
    return;
  }
  CHECK(h.client.status == 500);
  CHECK(h.stream.info().response_code_details == "ext_authz_invalid");
  CHECK(h.counted({6}) == 1);
}

TEST_CASE("what cannot stand in a message is answered 500 if it is to be told from failures") {
  Settings s = basic();
  s.validate = true;
  Guarded h(std::move(s));
  h.request("GET", {}, true);
  CheckResponse answer;
  add(*answer.mutable_ok_response()->mutable_headers(), "x-a", "1\r\nx-b: 2");
  h.answer(answer);
  CHECK(h.client.status == 500);
  CHECK(h.stream.info().response_code_details == "ext_authz_invalid");
}

TEST_CASE("metadata of answers is taken unless the configuration says otherwise") {
  const bool takes = GENERATE(false, true);
  Settings s = basic();
  s.takes_metadata = takes;
  Guarded h(std::move(s));
  h.request("GET", {}, true);
  CheckResponse answer;
  (*answer.mutable_dynamic_metadata()->mutable_fields())["who"].set_string_value("ada");
  h.answer(answer);
  CHECK((h.stream.info().dynamic_metadata != nullptr) == takes);
}

TEST_CASE("a gRPC service that fails refuses; what cannot be read is never let through") {
  const bool allow = GENERATE(false, true);
  Settings s = basic();
  s.failure_mode_allow = allow;
  Guarded h(std::move(s));
  h.request("GET", {}, true);
  SECTION("unavailable") {
    h.calls.grpc[0]->end(14);
    CHECK(h.terminal.complete == allow);
  }
  SECTION("no protobuf") {
    h.calls.grpc[0]->message("\xff");
    h.calls.grpc[0]->end(0);
    CHECK(h.client.status == 403);
  }
  SECTION("no answer") {
    h.calls.grpc[0]->end(0);
    CHECK(h.client.status == 403);
  }
  SECTION("two answers") {
    h.calls.grpc[0]->message("");
    h.calls.grpc[0]->message("");
    h.calls.grpc[0]->end(0);
    CHECK(h.client.status == 403);
  }
  SECTION("a refusal under the status OK") {
    CheckResponse answer;
    answer.mutable_denied_response();
    h.answer(answer);
    CHECK(h.client.status == 403);
  }
  SECTION("a header that splits the message") {
    CheckResponse answer;
    add(*answer.mutable_ok_response()->mutable_headers(), "x-a", "1\r\nx-b: 2");
    h.answer(answer);
    CHECK(h.client.status == 403);
  }
  CHECK(h.counted({3}) == 1);
}

TEST_CASE("with a gRPC service it passes the interleaving suite") {
  const bool with_body = GENERATE(false, true);
  const bool allow = GENERATE(false, true);
  filter::testing::Suite suite;
  suite.max_runs = 5000;
  suite.chain = [&] {
    Settings s = basic();
    if (with_body) s.body = BodySettings{100, false};
    s.failure_mode_allow = allow;
    return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{std::make_shared<FilterFactory>(std::move(s))};
  };
  suite.grpc_answer = [](const filter::GrpcCallRequest&, const std::string&) {
    return CheckResponse().SerializeAsString();
  };
  CheckResponse denied;
  denied.mutable_status()->set_code(7);
  suite.bad_grpc_answers = {"\xff", denied.SerializeAsString()};
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::ext_authz
