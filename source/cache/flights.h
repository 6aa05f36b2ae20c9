// Requests of one worker for the same answer: one goes to the upstream, the others wait for what becomes of it.
//
// Thread: the worker's. Who waits is told at the end of the loop's turn, never inside a call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "source/base/intrusive_list.h"
#include "source/event/loop.h"

namespace sluice::cache {

class Flights : private event::TurnTask {
  struct Flight;

 public:
  // Who wait for one answer; more go to the upstream themselves.
  static constexpr size_t kMaxWaiting = 1024;

  // A request's place. Destroyed it leaves: one that leads gives the lead to the next.
  class Seat : private base::ListNode {
   public:
    virtual ~Seat() { leave(); }
    // One that leads or goes alone: the answer is stored now, or it is certain that it will not be. `shared`: it is of
    // use to others. Who waits goes on.
    void land(bool shared);
    void leave();
    bool waits() const { return state_ == State::kWaits; }

   protected:
    // It has waited, and now leads; or the answer has landed.
    virtual void onLead() = 0;
    virtual void onLanded() = 0;

   private:
    friend class base::List<Seat>;
    friend class Flights;
    enum class State : uint8_t { kNone, kAlone, kLeads, kWaits, kLanded };

    State state_ = State::kNone;
    Flights* flights_ = nullptr;  // null: in none
    Flight* flight_ = nullptr;    // null: alone, or landed
    uint64_t hash_ = 0;
  };

  explicit Flights(event::Loop& loop) : loop_(loop) {}
  ~Flights() override;
  Flights(const Flights&) = delete;
  Flights& operator=(const Flights&) = delete;

  enum class Joined : uint8_t {
    kLeads,
    kWaits,
    kAlone,  // too many wait, or the last answer to this was of no use to others
  };
  Joined join(const std::string& key, Seat& seat);
  // Somebody is bringing it.
  bool underWay(const std::string& key) const { return flights_.contains(key); }

 private:
  struct Flight {
    std::string key;
    base::List<Seat> waiting;
    size_t count = 0;
  };

  void runAtTurnEnd() override;
  void passOn(Flight& flight);
  void tell(Seat& seat);
  uint64_t& noteOf(uint64_t hash) { return unshared_[hash % unshared_.size()]; }

  event::Loop& loop_;
  absl::flat_hash_map<std::string, std::unique_ptr<Flight>> flights_;
  base::List<Seat> told_;
  base::List<Seat> alone_;  // and those that lead: to be let go when this ends
  // Hashes of keys whose answers were of no use to others: waiting would only cost time. One place for many keys.
  std::array<uint64_t, 4096> unshared_{};
};

}  // namespace sluice::cache
