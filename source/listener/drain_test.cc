// Listeners that ask their connections to end, and those that run out of descriptors.
#include <sys/resource.h>
#include <unistd.h>

#include "source/listener/test_listener.h"

namespace sluice::listener {
namespace {

TEST_CASE("connections are asked to end while accepting goes on, those that come later with their first answer") {
  ListenerTest t;
  const net::Address at = t.address();
  t.set("l", {at}, "one", 1, {at});
  const net::Fd before = t.connect(at);
  t.loop.turn();

  t.listeners->askToEnd(AskToEnd::kAll);
  t.listeners->askToEnd(AskToEnd::kAll);
  const net::Fd meanwhile = t.connect(at);
  t.loop.turn();
  t.listeners->askToEnd(AskToEnd::kNone);
  const net::Fd after = t.connect(at);
  t.loop.turn();

  REQUIRE(t.all.size() == 3);
  CHECK(t.all[0]->drained == 1);
  CHECK(t.all[1]->drained == 0);
  CHECK(t.all[1]->to_drain == 1);
  CHECK(t.all[2]->to_drain == 0);
  t.loop.pass(60s);
  CHECK(t.all.size() == 3);
}

TEST_CASE("listeners of inbound traffic drain and ask alone") {
  ListenerTest t;
  const net::Address in = t.address(), out = t.address();
  t.set("out", {out}, "out", 1, {out});
  t.inbound = true;
  t.set("in", {in}, "in", 1, {in});
  const net::Fd from_out = t.connect(out), from_in = t.connect(in);
  t.loop.turn();
  REQUIRE(t.all.size() == 2);

  t.listeners->askToEnd(AskToEnd::kInbound);
  for (const Served* served : t.all) CHECK(served->drained == (served->by == "in" ? 1 : 0));

  t.listeners->drainAll(1s, true);
  CHECK(t.connect(out).valid());
  CHECK_FALSE(t.connect(in).valid());
  t.loop.pass(2s);
  REQUIRE(t.all.size() == 2);
  CHECK(t.all[0]->by == "out");
}

TEST_CASE("connections are counted while they last") {
  ListenerTest t;
  const filter::ConnectionStats stats{t.registry.gauge("active"), t.registry.counter("destroy")};
  t.stats.connections = std::make_shared<const filter::ConnectionStats>(stats);
  const net::Address at = t.address();
  t.set("l", {at}, "one", 1, {at});
  const net::Fd one = t.connect(at), two = t.connect(at);
  t.loop.turn();
  CHECK(t.registry.gaugeValue(stats.active) == 2);

  delete t.all[0];
  CHECK(t.registry.gaugeValue(stats.active) == 1);
  CHECK(t.registry.counterValue(stats.destroy) == 1);
  t.listeners.reset();
  CHECK(t.registry.gaugeValue(stats.active) == 0);
}

TEST_CASE("draining all of them counts what is cut at the end") {
  ListenerTest t;
  const net::Address one = t.address(), two = t.address();
  t.set("a", {one}, "a", 1, {one});
  t.set("b", {two}, "b", 1, {two});
  const net::Fd first = t.connect(one), second = t.connect(two);
  t.loop.turn();
  t.all[0]->busy = true;
  t.listeners->drainAll(10s);
  CHECK(t.listeners->connections() == 2);
  const WorkerListeners::Cut cut = t.listeners->closeAll();
  CHECK(cut.total == 2);
  CHECK(cut.busy == 1);
  CHECK(t.listeners->connections() == 0);
}

TEST_CASE("a connection that ends by itself leaves its listener") {
  ListenerTest t;
  const net::Address at = t.address();
  t.set("l", {at}, "one", 1, {at});
  const net::Fd a = t.connect(at), b = t.connect(at);
  t.loop.turn();
  delete t.all[0];
  CHECK(t.listeners->connections() == 1);
  t.set("l", {at}, "two", 2, {});
  delete t.all[0];
  CHECK(t.listeners->connections() == 0);
  t.loop.pass(60s);
}

TEST_CASE("without descriptors accepting rests, and goes on when there are some") {
  ListenerTest t;
  const net::Address at = t.address();
  t.set("l", {at}, "one", 1, {at});
  const net::Fd client = t.connect(at);
  // No descriptor above those in use.
  rlimit before;
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  std::vector<net::Fd> gaps;  // fills what is free below the highest
  gaps.emplace_back(dup(0));
  none.rlim_cur = static_cast<rlim_t>(gaps.back().get()) + 1;
  for (int fd = dup(0); fd >= 0 && fd < static_cast<int>(none.rlim_cur); fd = dup(0)) gaps.emplace_back(fd);
  setrlimit(RLIMIT_NOFILE, &none);
  t.loop.turn();
  const size_t served = t.all.size();
  const auto overflow = t.registry.valueOf("cx_overflow");
  t.loop.turn();
  const auto overflow_later = t.registry.valueOf("cx_overflow");
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK(served == 0);
  CHECK(overflow == 1);
  CHECK(overflow_later == 1);  // it does not spin
  t.loop.turn();
  CHECK(t.all.empty());
  t.loop.pass(100ms);
  CHECK(t.all.size() == 1);
}

}  // namespace
}  // namespace sluice::listener
