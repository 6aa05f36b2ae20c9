// The owner of a connection in tests: notes what it hears, and gives the credit that the test wants.
#pragma once

#include <algorithm>
#include <functional>
#include <string>

#include "source/net/connection.h"

namespace sluice::net {

class Peer : public ConnectionEvents {
 public:
  Peer(event::Loop& loop, WorkerBuffers& buffers, Fd fd, Connection::Mode mode = Connection::Mode::kAccepted,
       TransportPtr transport = nullptr)
      : connection(loop, buffers, std::move(fd), mode, *this, std::move(transport)) {}

  void onConnected() override { connected = true; }
  size_t readCredit() override { return credit; }
  void onBytes(std::string_view bytes) override {
    got += bytes;
    largest = std::max(largest, bytes.size());
    if (on_bytes) on_bytes(bytes);
  }
  void onPeerEnd() override {
    ended = true;
    if (on_end) on_end();
  }
  void onBroken(CloseReason why, int) override {
    broken = true;
    reason = why;
    if (on_end) on_end();
  }
  bool dropsUnread(bool) override { return drops; }
  void onDrained() override {
    ++drained;
    if (on_drained) on_drained();
  }

  std::function<void(std::string_view)> on_bytes;
  std::function<void()> on_end, on_drained;
  size_t credit = 1 << 30;
  size_t largest = 0;
  std::string got;
  bool connected = false, ended = false, broken = false, drops = false;
  int drained = 0;
  CloseReason reason = CloseReason::kLocal;
  Connection connection;
};

}  // namespace sluice::net
