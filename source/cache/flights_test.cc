#include "source/cache/flights.h"

#include <catch2/catch.hpp>

#include "source/event/polled_loop.h"

namespace sluice::cache {
namespace {

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
  CHECK(bed.flights.join("k", lead) == Joined::kLeads);
  CHECK(bed.flights.join("k", a) == Joined::kWaits);
  CHECK(bed.flights.join("k", b) == Joined::kWaits);
  CHECK(bed.flights.join("other", other) == Joined::kLeads);
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
    bed.flights.join("k", lead);
    bed.flights.join("k", a);
    bed.flights.join("k", b);
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
  bed.flights.join("k", lead);
  bed.flights.join("k", a);
  bed.flights.join("k", b);

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
  bed.flights.join("k", lead);
  for (size_t i = 0; i < Flights::kMaxWaiting; ++i) {
    seats.push_back(std::make_unique<Seat>());
    seats.back()->leave_at_once = true;
    REQUIRE(bed.flights.join("k", *seats.back()) == Joined::kWaits);
  }
  Seat one_more;
  CHECK(bed.flights.join("k", one_more) == Joined::kAlone);

  lead.leave();
  bed.loop.turn();

  for (const auto& seat : seats) CHECK(seat->leads == 1);
  CHECK_FALSE(bed.flights.underWay("k"));
}

TEST_CASE("who waits and goes is not told") {
  Bed bed;
  Seat lead;
  bed.flights.join("k", lead);
  auto gone = std::make_unique<Seat>(), told_and_gone = std::make_unique<Seat>();
  bed.flights.join("k", *gone);
  bed.flights.join("k", *told_and_gone);
  gone.reset();
  lead.land(true);
  told_and_gone.reset();
  bed.loop.turn();
}

TEST_CASE("for what was of no use to others nobody waits until it is of use") {
  Bed bed;
  Seat a, b, c, d;
  bed.flights.join("k", a);
  a.land(false);

  CHECK(bed.flights.join("k", b) == Joined::kAlone);
  CHECK(bed.flights.join("k", c) == Joined::kAlone);
  b.land(true);
  CHECK(bed.flights.join("k", d) == Joined::kLeads);
}

TEST_CASE("its end lets everybody go") {
  event::PolledLoop loop;
  Seat lead, a, told, alone;
  {
    Flights flights(loop);
    flights.join("k", lead);
    flights.join("k", a);
    Seat first;
    flights.join("j", first);
    flights.join("j", told);
    first.leave();
  }
  loop.turn();
  lead.land(true);
  a.leave();
  CHECK(told.leads == 0);
}

}  // namespace
}  // namespace sluice::cache
