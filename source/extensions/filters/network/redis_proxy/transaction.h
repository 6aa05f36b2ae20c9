// MULTI to EXEC, and WATCH in front of it, for one client: on a connection of its own to the host of the first key.
//
// Until a key says which host that is the proxy answers itself. A connection that breaks ends the transaction: each of
// its commands and EXEC are answered with an error, so nobody takes a watch or a queued command for done. Copies are
// not sent to mirrors. Thread: the worker's.
#pragma once

#include "source/extensions/filters/network/redis_proxy/splitter.h"

namespace sluice::extensions::network_filters::redis_proxy {

class Transaction final : private Client::Owner {
 public:
  using Words = Splitter::Words;

  // Both outlive it.
  Transaction(const Settings& settings, Pool& pool) : settings_(settings), pool_(pool) {}

  // Whether the command is to be given to send().
  bool takes(const redis::Command& command) const;
  // Commands that were sent are over before the transaction is destroyed.
  void send(Words words, Command& command);
  // Between MULTI and its end.
  bool active() const { return active_; }
  // What comes now would overtake what was sent: WATCH or the end, on a connection that only they use.
  bool mustBeWaitedFor() const { return client_ && !active_ && !client_->idle(); }

 private:
  void multi(Words words, Command& command);
  void end(Words words, Command& command);
  void unwatch(Words words, Command& command);
  void keyed(Words words, Command& command);
  bool open(std::string_view key, Command& command);
  void forward(Words words, Command& command);
  void letGoIfOver();

  void onClientOver(Client& client) override;
  void onClientIdle(Client&) override { letGoIfOver(); }

  const Settings& settings_;
  Pool& pool_;
  Client::Ptr client_;  // null: no key has come, or it broke
  const Route* route_ = nullptr;
  bool active_ = false;
  bool watching_ = false;
  bool lost_ = false;  // what it was to do or to watch
};

}  // namespace sluice::extensions::network_filters::redis_proxy
