// Requests of one worker for the same answer: one goes to the upstream, the others wait for what becomes of it.
//
// A fetch that is late is not waited for alone: those that wait follow it, one, then two, then four and so on, and the
// first answer is for all. Nobody waits for longer than the first request has time. Thread: the worker's. Who waits is
// told at the end of the loop's turn, never inside a call.
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
  // Parts of the time that the first request has: after so many it is late, and each after that more follow it.
  static constexpr int kParts = 15;
  static constexpr int kLateAfter = 5;

  // A request's place. Destroyed it leaves: one that leads gives the lead to the next.
  class Seat : private base::ListNode {
   public:
    virtual ~Seat() { leave(); }
    // One that leads or goes alone: the answer is stored now, or it is certain that it will not be. `shared`: it is of
    // use to others. Who waits goes on.
    void land(bool shared);
    void leave();
    // One that waits does so no longer, and leads as well. False: it waits for nothing, or is about to be told.
    bool goAhead();

   protected:
    // It has waited, and now leads; or the answer has landed.
    virtual void onLead() = 0;
    virtual void onLanded() = 0;

   private:
    friend class base::List<Seat>;
    friend class Flights;
    enum class State : uint8_t { kNone, kAlone, kLeads, kWaits, kLanded };

    void lead();
    void reset();

    State state_ = State::kNone;
    Flights* flights_ = nullptr;      // null: in none
    std::shared_ptr<Flight> flight_;  // null: alone, or in none
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
  // `time`: that the request has; that of the first one counts.
  Joined join(const std::string& key, Seat& seat, event::Duration time);
  // Somebody is bringing it.
  bool underWay(const std::string& key) const { return flights_.contains(key); }

 private:
  void runAtTurnEnd() override;
  void end(Flight& flight);
  void follow(Flight& flight);
  void tell(Seat& seat);
  void letNextLead(Flight& flight);
  uint64_t& noteOf(uint64_t hash) { return unshared_[hash % unshared_.size()]; }

  event::Loop& loop_;
  absl::flat_hash_map<std::string, std::shared_ptr<Flight>> flights_;
  base::List<Seat> told_;
  base::List<Seat> fetching_;  // who lead or go alone: to be let go when this ends
  // Hashes of keys whose answers were of no use to others: waiting would only cost time. One place for many keys.
  std::array<uint64_t, 4096> unshared_{};
};

}  // namespace sluice::cache
