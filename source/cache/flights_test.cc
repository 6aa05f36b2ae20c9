#include "source/cache/flights.h"

#include <catch2/catch.hpp>
#include <vector>

#include "source/event/polled_loop.h"

namespace sluice::cache {
namespace {

using namespace std::chrono_literals;

constexpr event::Duration kTime = 15s;

struct Seat : Flights::Seat {
  void onLead() override {
    ++leads;
    if (land_at_once) land(false);
    if (leave_at_once) leave();
  }
  void onLanded() override { ++landed; }
  int leads = 0, landed = 0;
  bool land_at_once = false, leave_at_once = false;
};

struct Bed {
  event::PolledLoop loop;
  Flights flights{loop};
};

using Joined = Flights::Joined;

TEST_CASE("one leads, the others wait until it has landed") {
  Bed bed;
  Seat lead, a, b, other;
  CHECK(bed.flights.join("k", lead, kTime) == Joined::kLeads);
  CHECK(bed.flights.join("k", a, kTime) == Joined::kWaits);
  CHECK(bed.flights.join("k", b, kTime) == Joined::kWaits);
  CHECK(bed.flights.join("other", other, kTime) == Joined::kLeads);
  CHECK(bed.flights.underWay("k"));

  lead.land(true);
  CHECK(a.landed == 0);  // never inside a call
  CHECK_FALSE(bed.flights.underWay("k"));
  bed.loop.turn();

  CHECK(a.landed == 1);
  CHECK(b.landed == 1);
  CHECK(a.leads == 0);
}

TEST_CASE("who leads and goes gives the lead to the next") {
  Bed bed;
  Seat a, b;
  {
    Seat lead;
    bed.flights.join("k", lead, kTime);
    bed.flights.join("k", a, kTime);
    bed.flights.join("k", b, kTime);
  }
  CHECK(bed.flights.underWay("k"));
  bed.loop.turn();

  CHECK(a.leads == 1);
  CHECK(b.leads == 0);
  a.leave();
  bed.loop.turn();
  CHECK(b.leads == 1);
  b.leave();
  CHECK_FALSE(bed.flights.underWay("k"));
}

TEST_CASE("who is given the lead and goes before it is told passes it on") {
  Bed bed;
  Seat lead, a, b;
  bed.flights.join("k", lead, kTime);
  bed.flights.join("k", a, kTime);
  bed.flights.join("k", b, kTime);

  lead.leave();
  a.leave();
  bed.loop.turn();

  CHECK(a.leads == 0);
  CHECK(b.leads == 1);
}

TEST_CASE("many who fail at once do so one after the other") {
  Bed bed;
  Seat lead;
  std::vector<std::unique_ptr<Seat>> seats;
  bed.flights.join("k", lead, kTime);
  for (size_t i = 0; i < Flights::kMaxWaiting; ++i) {
    seats.push_back(std::make_unique<Seat>());
    seats.back()->leave_at_once = true;
    REQUIRE(bed.flights.join("k", *seats.back(), kTime) == Joined::kWaits);
  }
  Seat one_more;
  CHECK(bed.flights.join("k", one_more, kTime) == Joined::kAlone);

  lead.leave();
  bed.loop.turn();

  for (const auto& seat : seats) CHECK(seat->leads == 1);
  CHECK_FALSE(bed.flights.underWay("k"));
}

TEST_CASE("who waits and goes is not told") {
  Bed bed;
  Seat lead;
  bed.flights.join("k", lead, kTime);
  auto gone = std::make_unique<Seat>(), told_and_gone = std::make_unique<Seat>();
  bed.flights.join("k", *gone, kTime);
  bed.flights.join("k", *told_and_gone, kTime);
  gone.reset();
  lead.land(true);
  told_and_gone.reset();
  bed.loop.turn();
}

TEST_CASE("for what was of no use to others nobody waits until it is of use") {
  Bed bed;
  Seat a, b, c, d;
  bed.flights.join("k", a, kTime);
  a.land(false);

  CHECK(bed.flights.join("k", b, kTime) == Joined::kAlone);
  CHECK(bed.flights.join("k", c, kTime) == Joined::kAlone);
  b.land(true);
  CHECK(bed.flights.join("k", d, kTime) == Joined::kLeads);
}

// A fetch and those that wait for it.
struct Crowd : Bed {
  explicit Crowd(size_t count, event::Duration time = kTime) : waiters(count) {
    flights.join("k", lead, time);
    for (Seat& waiter : waiters) REQUIRE(flights.join("k", waiter, kTime) == Joined::kWaits);
  }
  int leading() const {
    int sum = 0;
    for (const Seat& waiter : waiters) sum += waiter.leads;
    return sum;
  }
  int landed() const {
    int sum = 0;
    for (const Seat& waiter : waiters) sum += waiter.landed;
    return sum;
  }
  Seat lead;
  std::vector<Seat> waiters;
};

TEST_CASE("a fetch that is late is followed by more and more") {
  Crowd crowd(20);
  crowd.loop.pass(4999ms);
  CHECK(crowd.leading() == 0);
  crowd.loop.pass(1ms);
  CHECK(crowd.leading() == 1);
  CHECK(crowd.waiters[0].leads == 1);
  crowd.loop.pass(1s);
  CHECK(crowd.leading() == 3);
  crowd.loop.pass(1s);
  CHECK(crowd.leading() == 7);

  crowd.waiters[1].land(true);
  crowd.loop.turn();

  CHECK(crowd.landed() == 13);
  CHECK_FALSE(crowd.flights.underWay("k"));
  crowd.loop.pass(10s);
  CHECK(crowd.leading() == 7);
}

TEST_CASE("nobody waits for longer than the first one has time") {
  const event::Duration time = GENERATE(15000ms, 3000ms, 150ms);
  Crowd crowd(Flights::kMaxWaiting, time);
  crowd.loop.pass(time / 3 - 1ms);
  CHECK(crowd.leading() == 0);
  crowd.loop.pass(time * 2 / 3 + 1ms);
  CHECK(crowd.leading() == static_cast<int>(Flights::kMaxWaiting));
}

TEST_CASE("who comes when the fetch is late already leads at once, the next ones in turn") {
  Bed bed;
  Seat lead, a, b;
  bed.flights.join("k", lead, kTime);
  bed.loop.pass(7s);
  bed.flights.join("k", a, kTime);
  bed.flights.join("k", b, kTime);
  bed.loop.pass(0s);
  CHECK(a.leads == 1);
  CHECK(b.leads == 0);
  bed.loop.pass(1s);
  CHECK(b.leads == 1);
}

TEST_CASE("while one of several leads, the others go without a word") {
  Crowd crowd(4);
  crowd.loop.pass(5s);
  crowd.lead.leave();
  crowd.loop.turn();
  CHECK(crowd.leading() == 1);
  crowd.waiters[0].leave();
  crowd.loop.turn();
  CHECK(crowd.leading() == 2);
}

TEST_CASE("who leads on after another one has landed ends nothing") {
  Crowd crowd(2);
  crowd.loop.pass(5s);
  crowd.waiters[0].land(true);
  Seat again, waiter;
  crowd.flights.join("k", again, kTime);
  CHECK(crowd.flights.join("k", waiter, kTime) == Joined::kWaits);

  crowd.lead.land(true);
  crowd.loop.turn();

  CHECK(crowd.landed() == 1);
  CHECK(waiter.landed == 0);
  CHECK(crowd.flights.underWay("k"));
}

TEST_CASE("who is given the lead in the turn in which another one lands is told that") {
  Crowd crowd(2);
  crowd.lead.leave();
  Seat joined;
  crowd.flights.join("k", joined, kTime);
  CHECK(crowd.waiters[1].goAhead());
  crowd.waiters[1].land(true);
  crowd.loop.turn();

  CHECK(crowd.waiters[0].leads == 0);
  CHECK(crowd.waiters[0].landed == 1);
  CHECK(joined.landed == 1);
}

TEST_CASE("who waits no longer leads as well, and nobody is told of that") {
  Crowd crowd(2);
  CHECK(crowd.waiters[0].goAhead());
  CHECK_FALSE(crowd.waiters[0].goAhead());
  CHECK(crowd.waiters[0].leads == 0);

  crowd.waiters[0].land(true);
  crowd.loop.turn();

  CHECK(crowd.waiters[1].landed == 1);
  CHECK_FALSE(crowd.waiters[1].goAhead());
}

TEST_CASE("its end lets everybody go") {
  event::PolledLoop loop;
  Seat lead, a, told, alone;
  {
    Flights flights(loop);
    flights.join("k", lead, kTime);
    flights.join("k", a, kTime);
    Seat first;
    flights.join("j", first, kTime);
    flights.join("j", told, kTime);
    first.leave();
  }
  loop.turn();
  lead.land(true);
  a.leave();
  CHECK(told.leads == 0);
}

}  // namespace
}  // namespace sluice::cache
