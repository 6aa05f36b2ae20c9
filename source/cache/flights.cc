#include "source/cache/flights.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/hash/hash.h"

namespace sluice::cache {
namespace {

constexpr std::chrono::milliseconds kShortestPart{10};

}  // namespace

// Lives until nobody leads it, which may be after it has landed.
struct Flights::Flight {
  Flight(Flights& flights, std::string of, event::Duration time)
      : key(std::move(of)),
        part(std::max<event::Duration>(time / kParts, kShortestPart)),
        next(flights.loop_.now() + part * kLateAfter),
        late(flights.loop_.timers(), [this, &flights] { flights.follow(*this); }) {}

  const std::string key;
  const event::Duration part;
  base::List<Seat> waiting;
  size_t count = 0;    // of those
  size_t leading = 0;  // how many lead
  bool landed = false;
  size_t following = 1;   // how many go next,
  event::TimePoint next;  // and when
  event::Timer late;      // armed while somebody waits
};

Flights::~Flights() {
  const auto forget = [](Seat& seat) { seat.reset(); };
  for (auto& [key, flight] : flights_) flight->waiting.forEach(forget);
  told_.forEach(forget);
  fetching_.forEach(forget);
}

Flights::Joined Flights::join(const std::string& key, Seat& seat, event::Duration time) {
  seat.flights_ = this;
  seat.hash_ = absl::Hash<std::string>{}(key) | 1;  // 0: no key's
  const auto found = flights_.find(key);
  if (found == flights_.end() && noteOf(seat.hash_) != seat.hash_) {
    seat.flight_ = std::make_shared<Flight>(*this, key, time);
    flights_.emplace(key, seat.flight_);
    seat.lead();
    fetching_.pushBack(seat);
    return Joined::kLeads;
  }
  if (found == flights_.end() || found->second->count == kMaxWaiting) {
    seat.state_ = Seat::State::kAlone;
    fetching_.pushBack(seat);
    return Joined::kAlone;
  }
  seat.flight_ = found->second;
  seat.state_ = Seat::State::kWaits;
  Flight& flight = *seat.flight_;
  flight.waiting.pushBack(seat);
  ++flight.count;
  if (!flight.late.armed()) flight.late.armAt(std::max(flight.next, loop_.now()));
  return Joined::kWaits;
}

void Flights::tell(Seat& seat) {
  told_.pushBack(seat);
  loop_.atTurnEnd(*this);
}

void Flights::runAtTurnEnd() {
  while (!told_.empty()) {
    Seat& seat = told_.front();
    if (seat.state_ == Seat::State::kLeads && !seat.flight_->landed) {
      fetching_.pushBack(seat);
      seat.onLead();
    } else {
      seat.reset();
      seat.onLanded();
    }
  }
}

void Flights::letNextLead(Flight& flight) {
  Seat& next = flight.waiting.front();
  --flight.count;
  next.lead();
  tell(next);
}

// Twice as many each time, so that all have gone before the last part is over.
void Flights::follow(Flight& flight) {
  for (size_t i = 0; i < flight.following && !flight.waiting.empty(); ++i) letNextLead(flight);
  flight.following = std::min(flight.following * 2, kMaxWaiting);
  flight.next = loop_.now() + flight.part;
  if (!flight.waiting.empty()) flight.late.armAt(flight.next);
}

void Flights::end(Flight& flight) {
  flight.landed = true;
  flight.late.cancel();
  while (!flight.waiting.empty()) {
    Seat& waiter = flight.waiting.front();
    waiter.state_ = Seat::State::kLanded;
    tell(waiter);
  }
  flights_.erase(flights_.find(flight.key));
}

void Flights::Seat::lead() {
  state_ = State::kLeads;
  ++flight_->leading;
}

void Flights::Seat::reset() {
  unlink();
  state_ = State::kNone;
  flights_ = nullptr;
  flight_ = nullptr;
}

void Flights::Seat::land(bool shared) {
  if (state_ != State::kLeads && state_ != State::kAlone) return;
  uint64_t& note = flights_->noteOf(hash_);
  if (!shared) {
    note = hash_;
  } else if (note == hash_) {
    note = 0;
  }
  if (flight_ != nullptr && !flight_->landed) flights_->end(*flight_);
  reset();
}

void Flights::Seat::leave() {
  const State state = state_;
  Flights* const flights = flights_;
  const std::shared_ptr<Flight> flight = flight_;
  reset();
  if (flight == nullptr || flight->landed) return;
  if (state == State::kWaits) --flight->count;
  if (state != State::kLeads || --flight->leading > 0) return;
  if (flight->waiting.empty()) return flights->end(*flight);
  flights->letNextLead(*flight);
}

bool Flights::Seat::goAhead() {
  if (state_ != State::kWaits) return false;
  --flight_->count;
  lead();
  flights_->fetching_.pushBack(*this);
  return true;
}

}  // namespace sluice::cache
