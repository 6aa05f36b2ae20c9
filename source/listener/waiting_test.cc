// Connections that wait for listener filters.
#include "source/listener/test_listener.h"

namespace sluice::listener {
namespace {

TEST_CASE(
    "a connection waits until its filters have seen enough, and its "
    "bytes are still there") {
  FilterTest t;
  t.start(t.filtered({std::make_shared<Wants>(3)}));
  const net::Fd client = t.connect(t.at);
  t.loop.turn();
  CHECK(t.all.empty());
  CHECK(t.listeners->connections() == 1);
  CHECK(t.registry.valueOf("pre_cx_active") == 1);
  for (const char* byte : {"a", "b"}) {
    t.send(client, byte);
    CHECK(t.all.empty());
  }
  t.send(client, "d+");
  REQUIRE(t.all.size() == 1);
  CHECK(t.all[0]->by == "abd");
  CHECK(t.unread(0) == "abd+");
  CHECK(t.registry.valueOf("pre_cx_active") == 0);
  t.loop.pass(60s);
  CHECK(t.all.size() == 1);
}

TEST_CASE(
    "a filter may consume what it understands; the next one sees what "
    "follows") {
  FilterTest t;
  t.start(t.filtered({std::make_shared<Wants>(2, 2), std::make_shared<Wants>(0), std::make_shared<Wants>(3)}));
  const net::Fd client = t.connect(t.at);
  t.send(client, "12a");
  CHECK(t.all.empty());
  t.send(client, "bc rest");
  REQUIRE(t.all.size() == 1);
  CHECK(t.all[0]->by == "abc");
  CHECK(t.unread(0) == "abc rest");
}

TEST_CASE("bytes that were there at once are looked at at once") {
  FilterTest t;
  t.start(t.filtered({std::make_shared<Wants>(3)}));
  const net::Fd client = t.connect(t.at);
  REQUIRE(::send(client.get(), "abc", 3, 0) == 3);
  t.loop.turn();
  REQUIRE(t.all.size() == 1);
  CHECK(t.all[0]->by == "abc");
}

TEST_CASE(
    "who sends too little in time is cut, or served without having been "
    "understood") {
  FilterTest t;
  const bool goes_on = GENERATE(false, true);
  auto config = t.filtered({std::make_shared<Wants>(3)});
  config->filters_timeout = 5s;
  config->continue_on_filters_timeout = goes_on;
  t.start(config);
  const net::Fd client = t.connect(t.at);
  t.send(client, "ab");
  t.loop.pass(4999ms);
  CHECK(t.all.empty());
  CHECK_FALSE(ListenerTest::closed(client));
  t.loop.pass(1ms);
  CHECK(t.registry.valueOf("pre_cx_timeout") == 1);
  CHECK(t.registry.valueOf("pre_cx_active") == 0);
  REQUIRE(t.all.size() == (goes_on ? 1 : 0));
  if (goes_on) CHECK(t.all[0]->by == "rest");
  if (goes_on) CHECK(t.unread(0) == "ab");
  CHECK(ListenerTest::closed(client) == !goes_on);
}

TEST_CASE("who is served without having been understood does not get past filters that need no bytes") {
  struct Limit : filter::ListenerFilter {
    size_t window() const override { return 0; }
    Result inspect(std::string_view, filter::Accepted&, observability::StatsCells&) const override {
      return {full ? Verdict::kClose : Verdict::kDone};
    }
    bool full = false;
  };
  FilterTest t;
  const auto limit = std::make_shared<Limit>();
  limit->full = GENERATE(false, true);
  auto config = t.filtered({std::make_shared<Wants>(3), std::make_shared<Wants>(3), limit});
  config->filters_timeout = 5s;
  config->continue_on_filters_timeout = true;
  t.start(config);
  const net::Fd client = t.connect(t.at);
  t.send(client, "ab");

  t.loop.pass(5s);

  CHECK(t.all.size() == (limit->full ? 0 : 1));
  CHECK(ListenerTest::closed(client) == limit->full);
  CHECK(t.registry.valueOf("error") == (limit->full ? 1 : 0));
}

TEST_CASE("a connection has the discovered filter that is there when it is accepted, and is closed if there is none") {
  FilterTest t;
  const auto holder = std::make_shared<filter::ListenerFilterHolder>(worker::LocalSlots());
  auto config = t.filtered({nullptr});
  config->filters[0].discovered = holder;
  t.start(config);

  const net::Fd early = t.connect(t.at);
  t.loop.turn();
  CHECK(ListenerTest::closed(early));
  CHECK(t.registry.valueOf("config_missing") == 1);

  holder->set(std::make_shared<Wants>(3, 1));
  const net::Fd first = t.connect(t.at);
  t.send(first, "ab");
  CHECK(t.all.empty());
  holder->set(std::make_shared<Wants>(2));
  const net::Fd second = t.connect(t.at);
  t.send(second, "xy");
  REQUIRE(t.all.size() == 1);
  CHECK(t.unread(0) == "xy");
  holder->set(nullptr);
  t.send(first, "c");
  REQUIRE(t.all.size() == 2);
  CHECK(t.all[1]->by == "abc");
  CHECK(t.unread(1) == "bc");
}

TEST_CASE("who is served without having been understood does not get past discovered filters either") {
  FilterTest t;
  const auto holder = std::make_shared<filter::ListenerFilterHolder>(worker::LocalSlots(), std::make_shared<Wants>(0));
  auto config = t.filtered({std::make_shared<Wants>(3), nullptr});
  config->filters[1].discovered = holder;
  config->filters_timeout = 5s;
  config->continue_on_filters_timeout = true;
  t.start(config);
  const net::Fd client = t.connect(t.at);
  t.send(client, "ab");
  holder->set(nullptr);

  t.loop.pass(5s);

  CHECK(t.all.size() == 1);
}

TEST_CASE("without a timeout connections may wait for ever") {
  FilterTest t;
  auto config = t.filtered({std::make_shared<Wants>(3)});
  config->filters_timeout = 0s;
  t.start(config);
  const net::Fd client = t.connect(t.at);
  t.send(client, "ab");
  t.loop.pass(std::chrono::hours(24));
  t.send(client, "c");
  CHECK(t.all.size() == 1);
}

TEST_CASE(
    "a connection that a filter refuses, or that ends before it is "
    "understood, is closed and counted") {
  FilterTest t;
  t.start(t.filtered({std::make_shared<Wants>(3)}));
  const net::Fd refused = t.connect(t.at), silent = t.connect(t.at), short_one = t.connect(t.at);
  t.loop.turn();
  t.send(refused, "a!c");
  CHECK(ListenerTest::closed(refused));
  CHECK(t.registry.valueOf("error") == 1);
  shutdown(silent.get(), SHUT_WR);
  t.send(short_one, "ab");
  shutdown(short_one.get(), SHUT_WR);
  t.loop.turn();
  CHECK(ListenerTest::closed(silent));
  CHECK(ListenerTest::closed(short_one));
  CHECK(t.registry.valueOf("remote_close") == 2);
  CHECK(t.listeners->connections() == 0);
  CHECK(t.all.empty());
}

TEST_CASE(
    "connections that wait while the listener changes are served by the "
    "chain that they were accepted under") {
  FilterTest t;
  t.start(t.filtered({std::make_shared<Wants>(3)}));
  const net::Fd kept = t.connect(t.at), gone = t.connect(t.at);
  t.send(kept, "ab");
  t.send(gone, "ab");
  auto next = t.filtered({});
  next->chains[0].terminal = std::make_shared<Server>("abc, new", t.all);
  next->chains[1] = {"abd", 22, std::make_shared<Server>("abd, changed", t.all)};
  std::swap(next->chains[0], next->chains[2]);
  t.listeners->set(next, {}, 10s);
  CHECK(t.listeners->connections() == 2);
  t.send(kept, "c");
  t.send(gone, "d");
  REQUIRE(t.all.size() == 2);
  CHECK(t.all[0]->by == "abc, new");
  CHECK(t.all[0]->drained == 0);
  CHECK(t.all[1]->by == "abd");  // as it was
  CHECK(t.all[1]->drained == 1);
  t.loop.pass(10s);
  CHECK(t.listeners->connections() == 1);
}

TEST_CASE(
    "connections that wait in a listener that is removed are served or "
    "cut in the end") {
  FilterTest t;
  t.start(t.filtered({std::make_shared<Wants>(3)}));
  const net::Fd talks = t.connect(t.at), silent = t.connect(t.at);
  t.send(talks, "ab");
  t.listeners->remove("l", 10s);
  CHECK(t.listeners->connections() == 2);
  t.send(talks, "c");
  REQUIRE(t.all.size() == 1);
  CHECK(t.all[0]->drained == 1);
  t.loop.pass(10s);
  CHECK(t.listeners->connections() == 0);
  CHECK(ListenerTest::closed(silent));
  CHECK(t.registry.valueOf("pre_cx_active") == 0);
}

TEST_CASE("closing all closes those that wait") {
  FilterTest t;
  t.start(t.filtered({std::make_shared<Wants>(3)}));
  const net::Fd client = t.connect(t.at);
  t.loop.turn();
  const WorkerListeners::Cut cut = t.listeners->closeAll();
  CHECK(cut.total == 1);
  CHECK(cut.busy == 0);
  CHECK(ListenerTest::closed(client));
}

TEST_CASE("a filter is skipped where its predicate holds") {
  using Rule = FilterPredicate::Rule;
  filter::Accepted at_80;
  at_80.local = *net::Address::fromIp("1.2.3.4", 80);
  const FilterPredicate low{Rule::kDestinationPort, {}, 1, 81}, high{Rule::kDestinationPort, {}, 80, 90};
  const FilterPredicate other{Rule::kDestinationPort, {}, 81, 90}, any{Rule::kAny};
  CHECK(low.holds(at_80));
  CHECK(high.holds(at_80));
  CHECK_FALSE(other.holds(at_80));
  CHECK(any.holds(at_80));
  CHECK(FilterPredicate{Rule::kAnd, {low, any}}.holds(at_80));
  CHECK_FALSE(FilterPredicate{Rule::kAnd, {low, other}}.holds(at_80));
  CHECK(FilterPredicate{Rule::kOr, {other, low}}.holds(at_80));
  CHECK_FALSE(FilterPredicate{Rule::kOr, {other, other}}.holds(at_80));
  CHECK(FilterPredicate{Rule::kNot, {other}}.holds(at_80));

  FilterTest t;
  auto config = t.filtered({std::make_shared<Wants>(3)});
  config->filters[0].disabled = std::make_shared<FilterPredicate>(any);
  t.start(config);
  const net::Fd client = t.connect(t.at);
  t.loop.turn();
  REQUIRE(t.all.size() == 1);
  CHECK(t.all[0]->by == "rest");
}

TEST_CASE("a filter that has no business with a connection is not waited for") {
  class Skips : public Wants {
   public:
    Skips() : Wants(3) {}
    bool skips(const filter::Accepted&, observability::StatsCells&) const override { return true; }
  };
  FilterTest t;
  t.start(t.filtered({std::make_shared<Skips>()}));
  const net::Fd client = t.connect(t.at);
  t.loop.turn();
  CHECK(t.all.size() == 1);
}

}  // namespace
}  // namespace sluice::listener
