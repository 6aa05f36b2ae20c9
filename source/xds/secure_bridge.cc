#include "source/xds/secure_bridge.h"

#include <sys/socket.h>

#include <cstring>

#include "absl/strings/str_cat.h"

namespace sluice::xds {
namespace {

constexpr size_t kMaxPending = 256 * 1024;
constexpr std::chrono::seconds kLastBytes{5};

}  // namespace

SecureBridge::SecureBridge(event::Loop& loop, net::WorkerBuffers& buffers, net::Fd socket, net::Connection::Mode mode,
                           net::TransportPtr transport, std::chrono::milliseconds handshake_timeout, Events& events)
    : loop_(loop),
      buffers_(buffers),
      events_(&events),
      timer_(loop.timers(), [this] { onTimer(); }),
      outer_(*this, std::move(socket), mode, std::move(transport)) {
  timer_.arm(handshake_timeout);
}

void SecureBridge::drop(std::unique_ptr<SecureBridge> bridge) {
  if (bridge == nullptr) return;
  bridge->events_ = nullptr;
  bridge->end("");
  event::Loop& loop = bridge->loop_;
  loop.deleteLater(std::move(bridge));
}

size_t SecureBridge::End::readCredit() {
  net::Connection* const to = other();
  if (to == nullptr || !to->open()) return 0;
  const size_t pending = to->pendingBytes();
  return pending < kMaxPending ? kMaxPending - pending : 0;
}

void SecureBridge::End::onBytes(std::string_view bytes) {
  other()->write(bytes);
}

void SecureBridge::End::onDrained() {
  if (net::Connection* const from = other()) from->resumeReading();
}

void SecureBridge::Outer::onPeerEnd() {
  if (bridge.inner_) bridge.inner_->connection.shutdownWrites();
}

void SecureBridge::Outer::onBroken(net::CloseReason reason, int error) {
  const std::string_view failure = connection.transport()->failure();
  if (!failure.empty()) return bridge.end(std::string(failure));
  if (reason == net::CloseReason::kConnectFailed) return bridge.end(strerror(error));
  bridge.end(absl::StrCat("the connection broke: ", strerror(error)));
}

void SecureBridge::Outer::onDrained() {
  if (bridge.ending_) return bridge.end("");
  End::onDrained();
}

void SecureBridge::secured() {
  timer_.cancel();
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
    return end(absl::StrCat("no socket pair: ", strerror(errno)));
  }
  inner_.emplace(*this, net::Fd(pair[0]));
  events_->onSecured(*this, net::Fd(pair[1]));
}

// gRPC closed its end: what it wrote before still goes to the peer.
void SecureBridge::innerEnded() {
  if (ending_ || !outer_.connection.open()) return;
  ending_ = true;
  outer_.connection.flush();
  if (outer_.connection.pendingBytes() == 0) return end("");
  timer_.arm(kLastBytes);
}

void SecureBridge::onTimer() {
  end(ending_ ? "" : "no TLS connection within the time for it");
}

void SecureBridge::end(const std::string& why) {
  timer_.cancel();
  outer_.connection.close();
  if (inner_) inner_->connection.close();
  if (Events* const events = std::exchange(events_, nullptr)) events->onEnded(*this, why);
}

}  // namespace sluice::xds
