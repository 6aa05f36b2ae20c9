// What virtual hosts say besides their routes.
#include <catch2/catch.hpp>

#include <functional>

#include "source/route/rewrite.h"
#include "source/route/table.h"
#include "source/route/test_request.h"
#include "source/stream/format_context.h"

namespace sluice::route {
namespace {

std::shared_ptr<const Table> hostWith(const std::function<void(VirtualHostSpec&)>& change) {
  TableSpec spec;
  VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
  host.name = "web";
  host.domains = {"*"};
  RouteSpec& route = host.routes.emplace_back();
  route.path = "/";
  route.action = DirectResponseSpec{};
  change(host);
  auto table = Table::build(std::move(spec));
  REQUIRE(table.ok());
  return *table;
}

// Where the host leads a request that did not come as it has to; empty: to its routes.
std::string ledTo(TlsRequirement required, std::vector<std::pair<std::string_view, std::string_view>> fields,
                  std::string_view scheme = "http") {
  const auto table = hostWith([&](VirtualHostSpec& host) { host.require_tls = required; });
  TestRequest request("/a?b", "a.com:80", std::move(fields));
  request->scheme = scheme;
  const Match match = table->match(*request, 0);
  REQUIRE(match);
  if (match.route->redirect == nullptr) return "";
  CHECK(match.route->redirect->status == 301);
  const stream::StreamInfo info;
  return std::string(redirectLocation(match, *request, {.request = &*request, .info = info}));
}

}  // namespace

TEST_CASE("require_tls sends whom it means to https, by what the client spoke") {
  const std::string there = "https://a.com/a?b";

  CHECK(ledTo(TlsRequirement::kNone, {}) == "");
  CHECK(ledTo(TlsRequirement::kAll, {}) == there);
  CHECK(ledTo(TlsRequirement::kAll, {{"x-envoy-internal", "true"}}) == there);
  CHECK(ledTo(TlsRequirement::kAll, {{"x-forwarded-proto", "https"}}) == "");
  CHECK(ledTo(TlsRequirement::kAll, {{"x-forwarded-proto", "http"}}, "https") == "https://a.com:80/a?b");
  CHECK(ledTo(TlsRequirement::kAll, {}, "https") == "");
  CHECK(ledTo(TlsRequirement::kExternalOnly, {}) == there);
  CHECK(ledTo(TlsRequirement::kExternalOnly, {{"x-envoy-internal", "true"}}) == "");
  CHECK(ledTo(TlsRequirement::kExternalOnly, {{"x-envoy-internal", "yes"}}) == there);
}

TEST_CASE("what is said of a virtual host for filters and logs is at hand with each request") {
  const auto told = hostWith([](VirtualHostSpec& host) {
    host.metadata = stream::FixedMetadata({{"com.acme", {stream::MetadataFields{{"team", {std::string("web")}}}}}}, "");
  });
  const auto silent = hostWith([](VirtualHostSpec&) {});
  TestRequest request("/");

  const Match match = told->match(*request, 0);

  REQUIRE(match.hostMetadata() != nullptr);
  const stream::MetadataValue* team = stream::findMetadata(*match.hostMetadata(), "com.acme", {"team"});
  REQUIRE(team != nullptr);
  CHECK(std::get<std::string>(team->value) == "web");
  CHECK(silent->match(*request, 0).hostMetadata() == nullptr);
}

}  // namespace sluice::route
