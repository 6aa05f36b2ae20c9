// The route of a request that filters have chosen anew, by what they left.
#include <catch2/catch.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "source/session/test_session.h"

namespace sluice::session {
namespace {

using filter::Context;
using filter::HookResult;

// Leaves a value and an object, and has the route chosen anew. Asked for nothing, it does nothing.
class Leaving : public filter::HttpFilter {
 public:
  explicit Leaving(const std::string& text) : text_(text) {}
  HookResult onRequestHeaders(http::RequestHeaders&, Context& context) override {
    if (text_.empty()) return filter::Next{};
    context.info().metadata().set("f", "k", {text_});
    context.info().filterState().set("o", text_);
    CHECK(context.rematchRoute());
    return filter::Next{};
  }

 private:
  const std::string& text_;
};

route::RouteSpec routeNamed(std::string name) {
  route::RouteSpec out;
  out.name = std::move(name);
  out.path = "/";
  out.action = route::ForwardSpec{.cluster = 1, .cluster_name = "one"};
  return out;
}

struct Choosing : TestSession {
  void serve(std::string leaves, std::vector<route::RouteSpec> routes) {
    std::vector<filter::ChainConfig::Entry> entries;
    entries.push_back({"leaving", std::make_shared<filter::Factory<Leaving, std::string>>(std::move(leaves))});
    settings->chain = filter::fixedChain(std::move(entries));
    route::TableSpec spec;
    route::VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
    host.domains = {"*"};
    host.routes = std::move(routes);
    tables.set(0, *route::Table::build(std::move(spec)));
    terminals.on_end = [this](TestTerminal& terminal) {
      const route::Match& match = terminal.stream.route();
      seen.push_back(match.route == nullptr ? "none" : std::string(match.route->name));
      clusters.push_back(match.cluster());
      terminal.answer(200, "");
    };
  }
  void request() {
    auto client = connect();
    client->send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    loop.turn();
  }

  std::vector<std::string> seen;
  std::vector<route::ClusterId> clusters;
};

std::vector<route::RouteSpec> byWhatIsLeft() {
  route::RouteSpec metadata = routeNamed("metadata"), state = routeNamed("state");
  route::StreamConditions asks_metadata, asks_state;
  match::MetadataMatcher matcher{.filter = "f", .path = {"k"}};
  matcher.value.kind = match::MetadataValueMatcher::Kind::kString;
  matcher.value.string.text = "left";
  asks_metadata.metadata = {matcher};
  match::FilterStateMatcher object;
  object.key = "o";
  object.string.text = "other";
  asks_state.filter_state = {object};
  metadata.conditions.stream = std::make_shared<const route::StreamConditions>(asks_metadata);
  state.conditions.stream = std::make_shared<const route::StreamConditions>(asks_state);
  return {metadata, state, routeNamed("rest")};
}

}  // namespace

TEST_CASE("what a filter left decides where the route is chosen anew") {
  for (const auto& [leaves, expected] :
       std::vector<std::pair<std::string, std::string>>{{"", "rest"}, {"left", "metadata"}, {"other", "state"}}) {
    Choosing session;
    session.serve(leaves, byWhatIsLeft());

    session.request();

    REQUIRE(session.seen.size() == 1);
    CHECK(session.seen[0] == expected);
  }
}

TEST_CASE("a route that is chosen anew is drawn by the same number") {
  // In front of a share of half stands a route that is left out once the filter ran; behind it the weights are even.
  route::RouteSpec untouched = routeNamed("untouched"), half = routeNamed("half");
  route::StreamConditions absent, share;
  match::MetadataMatcher matcher{.filter = "f", .path = {"k"}};
  matcher.invert = true;
  absent.metadata = {matcher};
  share.fraction = absent.fraction = runtime::Fraction{1, 2};
  untouched.conditions.stream = std::make_shared<const route::StreamConditions>(absent);
  half.conditions.stream = std::make_shared<const route::StreamConditions>(share);
  const auto weighted = [](route::RouteSpec& out) {
    route::ForwardSpec action;
    action.weighted = {{.cluster = 1, .cluster_name = "one", .weight = 1},
                       {.cluster = 2, .cluster_name = "two", .weight = 1}};
    out.action = std::move(action);
  };
  route::RouteSpec rest = routeNamed("rest");
  for (route::RouteSpec* each : {&untouched, &half, &rest}) weighted(*each);
  constexpr int kRequests = 64;
  Choosing once, anew;  // workers draw the same numbers
  once.serve("", {untouched, rest});
  anew.serve("left", {untouched, half, rest});

  for (int i = 0; i < kRequests; ++i) {
    once.request();
    anew.request();
  }

  REQUIRE(anew.seen.size() == kRequests);
  REQUIRE(once.seen.size() == kRequests);
  CHECK(once.clusters == anew.clusters);
  for (size_t i = 0; i < kRequests; ++i) CHECK((once.seen[i] == "untouched") == (anew.seen[i] == "half"));
  CHECK(std::count(anew.seen.begin(), anew.seen.end(), "half") > 8);
  CHECK(std::count(anew.seen.begin(), anew.seen.end(), "rest") > 8);
}

}  // namespace sluice::session
