// Requests that wait for another one's answer.
#include <catch2/catch.hpp>

#include "source/extensions/filters/http/cache/test_site.h"

namespace sluice::extensions::http_filters::cache {
namespace {

using namespace std::chrono_literals;

// One fetches, two wait.
struct Queue : Site {
  Trip& lead = open("/a");
  Trip& next = open("/a");
  Trip& last = open("/a");
};

TEST_CASE("while one fetches an answer, others wait for it") {
  Site site;
  Trip& lead = site.open("/a");
  Trip& waiter = site.open("/a");
  Trip& other = site.open("/b");
  CHECK(lead.forwarded());
  CHECK_FALSE(waiter.forwarded());
  CHECK(other.forwarded());

  lead.answer(kFresh, "body");
  CHECK(waiter.client.heads == 0);
  site.worker.loop.turn();

  CHECK_FALSE(waiter.forwarded());
  CHECK(waiter.client.body == "body");
  CHECK(waiter.of("cache-status") == "sluice; fwd=uri-miss; collapsed; ttl=60");
  CHECK(waiter.calls.waiting() == 0);
}

TEST_CASE("who waits is let go as soon as the answer is not for others") {
  Queue site;
  site.lead.respond(200, {{"set-cookie", "id=1"}}, false);
  site.worker.loop.turn();

  CHECK(site.next.forwarded());
  CHECK(site.last.forwarded());
  site.next.answer({}, "a's");
  CHECK(site.next.client.body == "a's");
  // Nor does anybody wait for the next one.
  CHECK(site.open("/a").forwarded());
  CHECK(site.open("/a").forwarded());
}

TEST_CASE("when who fetches goes, the next one fetches") {
  Queue site;
  site.lead.runner->end();
  site.worker.loop.turn();

  CHECK(site.next.forwarded());
  CHECK_FALSE(site.last.forwarded());
  site.next.answer(kFresh, "body");
  site.worker.loop.turn();
  CHECK(site.last.client.body == "body");
}

TEST_CASE("when a fetch is late others follow in turn, and the first answer is for all") {
  Queue site;
  site.worker.loop.pass(4999ms);
  CHECK_FALSE(site.next.forwarded());
  site.worker.loop.pass(1ms);
  CHECK(site.next.forwarded());
  CHECK_FALSE(site.last.forwarded());

  site.next.answer(kFresh, "quick");
  site.worker.loop.turn();

  CHECK(site.last.client.body == "quick");
  CHECK(site.last.calls.waiting() == 0);
  site.lead.answer(kFresh, "slow");
  CHECK(site.lead.client.body == "slow");
}

TEST_CASE("with less time for an answer a fetch is late sooner") {
  Site site("", forwardingTable({.timeout = 3s}));
  const bool by_header = GENERATE(false, true);
  const Fields fields = by_header ? Fields{{"x-envoy-upstream-rq-timeout-ms", "1500"}} : Fields{};
  site.open("/a", fields);
  Trip& next = site.open("/a");
  site.worker.loop.pass(by_header ? 499ms : 999ms);
  CHECK_FALSE(next.forwarded());
  site.worker.loop.pass(1ms);
  CHECK(next.forwarded());
}

TEST_CASE("who has waited for as long as it has time fetches itself, for the others too") {
  Site site;
  site.open("/a");
  Trip& waiter = site.open("/a", {{"x-envoy-upstream-rq-timeout-ms", "100"}});
  Trip& other = site.open("/a");
  REQUIRE(waiter.calls.waiting() == 1);
  waiter.calls.expire();

  CHECK(waiter.forwarded());
  waiter.answer(kFresh, "own");
  CHECK(waiter.client.body == "own");
  site.worker.loop.turn();
  CHECK(other.client.body == "own");
}

TEST_CASE("an upstream that fails is asked by one after the other") {
  Queue site;
  site.lead.answer({}, "down", 503);
  site.worker.loop.turn();

  CHECK(site.next.forwarded());
  CHECK_FALSE(site.last.forwarded());
  site.next.runner->localReply(filter::Reply{503, "no host", "no_healthy_upstream"});
  site.worker.loop.turn();
  CHECK(site.last.forwarded());
}

TEST_CASE("who waits and goes leaves nothing behind") {
  Site site;
  Trip& lead = site.open("/a");
  site.open("/a").runner->end();
  site.trips.pop_back();
  lead.answer(kFresh, "body");
  site.worker.loop.turn();
  CHECK(site.hits("/a"));
}

TEST_CASE("requests that want an answer of their own neither wait nor are waited for") {
  Site site;
  CHECK(site.open("/a", {{"authorization", "x"}}).forwarded());
  CHECK(site.open("/a", {{"range", "bytes=0-1"}}).forwarded());
  CHECK(site.open("/a", {{"if-none-match", "\"1\""}}).forwarded());
  CHECK(site.open("/a", {{"cache-control", "no-cache"}}).forwarded());
  CHECK(site.open("/a", {{"cache-control", "no-store"}}).forwarded());
  CHECK(site.open("/a").forwarded());
}

TEST_CASE("while one validates, others get the stale answer if it allows that") {
  Site site;
  site.fill("/a", {{"cache-control", "max-age=60, stale-while-revalidate=30"}, {"etag", "\"1\""}});
  site.time += 70s;
  Trip& lead = site.open("/a");
  CHECK(lead.forwarded());
  Trip& stale = site.open("/a");
  CHECK_FALSE(stale.forwarded());
  CHECK(stale.client.body == "body");
  CHECK(stale.of("cache-status") == "sluice; hit; ttl=-10");

  site.time += 30s;
  Trip& late = site.open("/a");
  CHECK_FALSE(late.forwarded());
  CHECK(late.client.heads == 0);
}

}  // namespace
}  // namespace sluice::extensions::http_filters::cache
