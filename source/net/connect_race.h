// The further addresses of a peer to which a connection is under way. They are tried one behind the other, and the
// first attempt that connects is the connection ("happy eyeballs", RFC 8305, 5).
//
// The attempt that began first is the owner's, whose socket it watches itself. The next one begins kDelay after the one
// before, or as soon as one has failed. What else is under way is closed with the race. Thread: the loop's.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "source/event/loop.h"
#include "source/net/address.h"
#include "source/net/descriptors.h"
#include "source/net/socket.h"

namespace sluice::net {

class ConnectRace {
 public:
  static constexpr std::chrono::milliseconds kDelay{300};  // as in Envoy
  // The socket of an attempt that has connected, from the loop. It may destroy the race.
  using OnWon = std::function<void(Fd)>;

  // `others`: in this order. `options` and `descriptors` outlive it.
  ConnectRace(event::Loop& loop, Descriptors& descriptors, std::span<const Address> others,
              const ConnectOptions& options, OnWon on_won);
  ~ConnectRace();
  ConnectRace(const ConnectRace&) = delete;
  ConnectRace& operator=(const ConnectRace&) = delete;

  // The owner's attempt has failed: the next one begins. The socket of one that is under way, for the owner to watch
  // instead; none: all have failed.
  Fd replace();

 private:
  class Attempt;
  void beginNext();
  void over(Attempt& attempt, bool connected);
  std::unique_ptr<Attempt> take(const Attempt& attempt);

  event::Loop& loop_;
  Descriptors& descriptors_;
  const ConnectOptions& options_;
  OnWon on_won_;
  std::vector<Address> left_;                       // the last one is next
  std::vector<std::unique_ptr<Attempt>> attempts_;  // under way, in the order of their beginning
  event::Timer next_;
};

}  // namespace sluice::net
