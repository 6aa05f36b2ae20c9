#include "source/ctl/behaviour.h"

#include <catch2/catch.hpp>

namespace sluice::ctl {
namespace {

using Strings = std::vector<std::string>;

explain::Explanation forwarded(const std::string& cluster) {
  explain::Explanation out;
  out.forward.emplace().cluster = cluster;
  out.forward->path = "/";
  out.filters = {{.name = "jwt", .type = "Jwt", .access = true, .settings = "{}"}, {.name = "router"}};
  return out;
}

TEST_CASE("What differs in names, places and hosts is no behaviour") {
  explain::Explanation before = forwarded("c"), after = before;
  after.route.emplace().name = "other";
  after.listener.name = "other";
  after.filters[0].place.line = 7;
  after.clusters.push_back({.name = "c"});

  CHECK(behaviourChanges(before, after).empty());
}

TEST_CASE("Another cluster, path, timeout or answer is told") {
  explain::Explanation before = forwarded("a"), after = forwarded("b");
  after.forward->path = "/b";
  after.forward->timeout = std::chrono::milliseconds(1);
  explain::Explanation redirected;
  redirected.answer = explain::Answer{.status = 301, .location = "https://a/"};

  CHECK(behaviourChanges(before, after) == Strings{"goes to: 'a' becomes 'b'", "path: / becomes /b",
                                                   "timeouts, retries, priority, hashing or mirrors: others"});
  CHECK(behaviourChanges(before, redirected)[0] == "goes to: 'a' becomes 301 to https://a/");
}

TEST_CASE("What cannot be told of one of them is told") {
  CHECK(behaviourChanges(forwarded("a"), absl::NotFoundError("no listener")) ==
        Strings{"request: served becomes not told (no listener)"});
  CHECK(behaviourChanges(absl::NotFoundError("x"), absl::NotFoundError("x")).empty());
}

TEST_CASE("A filter that decides about access and is gone, off or changed is a loss of protection") {
  const explain::Explanation before = forwarded("c");
  explain::Explanation gone = before, off = before, changed = before;
  gone.filters.erase(gone.filters.begin());
  off.filters[0].enabled = false;
  off.filters[0].why = "disabled by the route";
  changed.filters[0].settings = "{\"allow_missing\": {}}";

  CHECK(protectionLost(before, before).empty());
  CHECK(protectionLost(before, gone) == Strings{"filter 'jwt' is gone"});
  CHECK(protectionLost(before, off) == Strings{"filter 'jwt' is off: disabled by the route"});
  CHECK(protectionLost(before, changed) == Strings{"filter 'jwt' has other settings"});
}

TEST_CASE("Other filters protect nothing, and what is refused by the proxy itself needs none") {
  explain::Explanation before = forwarded("c");
  explain::Explanation without_router = before, refused = before;
  without_router.filters.pop_back();
  refused.forward.reset();
  refused.answer = explain::Answer{.status = 404};
  refused.filters.clear();

  CHECK(protectionLost(before, without_router).empty());
  CHECK(protectionLost(before, refused).empty());
}

TEST_CASE("What the proxy refused itself, or sent to https, and now serves is a loss of protection") {
  const explain::Explanation served = forwarded("c");
  explain::Explanation refused, moved, elsewhere;
  refused.answer = explain::Answer{.status = 403};
  moved.answer = explain::Answer{.status = 301, .location = "https://a/"};
  elsewhere.answer = explain::Answer{.status = 301, .location = "http://a/b"};

  CHECK(protectionLost(refused, served) == Strings{"goes to: an answer 403 becomes 'c'"});
  CHECK(protectionLost(moved, served) == Strings{"goes to: 301 to https://a/ becomes 'c'"});
  CHECK(protectionLost(elsewhere, served).empty());
  CHECK(protectionLost(refused, moved).empty());
}

TEST_CASE("Of filters of one name each is compared with its own") {
  explain::Explanation before = forwarded("c");
  before.filters.insert(before.filters.begin(), before.filters[0]);
  explain::Explanation after = before;
  after.filters[1].enabled = false;

  CHECK(protectionLost(before, after) == Strings{"filter 'jwt' is off"});
}

}  // namespace
}  // namespace sluice::ctl
