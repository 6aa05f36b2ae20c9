#include "source/cache/flights.h"

#include <memory>
#include <utility>

#include "absl/hash/hash.h"

namespace sluice::cache {

Flights::~Flights() {
  const auto forget = [](Seat& seat) {
    seat.unlink();
    seat.state_ = Seat::State::kNone;
    seat.flights_ = nullptr;
    seat.flight_ = nullptr;
  };
  for (auto& [key, flight] : flights_) flight->waiting.forEach(forget);
  told_.forEach(forget);
  alone_.forEach(forget);
}

Flights::Joined Flights::join(const std::string& key, Seat& seat) {
  seat.flights_ = this;
  seat.hash_ = absl::Hash<std::string>{}(key) | 1;  // 0: no key's
  const auto found = flights_.find(key);
  if (found == flights_.end() && noteOf(seat.hash_) != seat.hash_) {
    auto made = std::make_unique<Flight>();
    made->key = key;
    seat.flight_ = made.get();
    seat.state_ = Seat::State::kLeads;
    alone_.pushBack(seat);
    flights_.emplace(key, std::move(made));
    return Joined::kLeads;
  }
  if (found == flights_.end() || found->second->count == kMaxWaiting) {
    seat.state_ = Seat::State::kAlone;
    alone_.pushBack(seat);
    return Joined::kAlone;
  }
  seat.flight_ = found->second.get();
  seat.state_ = Seat::State::kWaits;
  seat.flight_->waiting.pushBack(seat);
  ++seat.flight_->count;
  return Joined::kWaits;
}

void Flights::tell(Seat& seat) {
  told_.pushBack(seat);
  loop_.atTurnEnd(*this);
}

void Flights::runAtTurnEnd() {
  while (!told_.empty()) {
    Seat& seat = told_.front();
    if (seat.state_ == Seat::State::kLeads) {
      alone_.pushBack(seat);
      seat.onLead();
    } else {
      seat.unlink();
      seat.state_ = Seat::State::kNone;
      seat.flights_ = nullptr;
      seat.onLanded();
    }
  }
}

void Flights::passOn(Flight& flight) {
  if (flight.waiting.empty()) {
    flights_.erase(flights_.find(flight.key));
    return;
  }
  Seat& next = flight.waiting.front();
  --flight.count;
  next.state_ = Seat::State::kLeads;
  tell(next);
}

void Flights::Seat::land(bool shared) {
  if (state_ != State::kLeads && state_ != State::kAlone) return;
  uint64_t& note = flights_->noteOf(hash_);
  if (!shared) {
    note = hash_;
  } else if (note == hash_) {
    note = 0;
  }
  if (state_ == State::kLeads) {
    while (!flight_->waiting.empty()) {
      Seat& waiter = flight_->waiting.front();
      waiter.state_ = State::kLanded;
      waiter.flight_ = nullptr;
      flights_->tell(waiter);
    }
    flights_->flights_.erase(flights_->flights_.find(flight_->key));
  }
  unlink();
  state_ = State::kNone;
  flights_ = nullptr;
  flight_ = nullptr;
}

void Flights::Seat::leave() {
  unlink();
  const State state = std::exchange(state_, State::kNone);
  Flights* flights = std::exchange(flights_, nullptr);
  Flight* flight = std::exchange(flight_, nullptr);
  if (flight == nullptr) return;
  if (state == State::kLeads) flights->passOn(*flight);
  if (state == State::kWaits) --flight->count;
}

}  // namespace sluice::cache
