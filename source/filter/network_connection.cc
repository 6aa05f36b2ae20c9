#include "source/filter/network_connection.h"

#include <utility>

namespace sluice::filter {

NetworkConnection::NetworkConnection(worker::WorkerServices& worker, Accepted& accepted)
    : worker_(worker),
      state_(accepted.state),
      chain_(NetworkChain::make(accepted, worker, *this)),
      connection_(worker.loop, worker.buffers, std::move(accepted.fd), net::Connection::Mode::kAccepted, *this,
                  std::move(accepted.transport)),
      handshake_timeout_(accepted.transport_timeout.count() > 0 ? accepted.transport_timeout : kHandshakeTimeout) {}

NetworkConnection::~NetworkConnection() = default;

void NetworkConnection::begin(base::List<LiveConnection>& list) {
  list.pushBack(*this);
  if (!connection_.connecting()) return admit();
  wait_ = std::make_unique<event::Timer>(worker_.loop.timers(), [this] {
    if (!chain_ || !chain_->asking()) finish("handshake_timeout");
  });
  wait_->arm(handshake_timeout_);
}

void NetworkConnection::onConnected() {
  wait_.reset();
  onHandshakeDone();
  admit();
}

void NetworkConnection::admit() {
  if (chain_ && !chain_->admit(connection_.transport())) return;
  admitted_ = true;
  onAdmitted();
  if (!finished_) connection_.resumeReading();
}

void NetworkConnection::onPeerEnd() {
  if (finished_) return;
  if (!admitted_) return finish("downstream_remote_disconnect");
  onEnd();
}

void NetworkConnection::onBroken(net::CloseReason reason, int) {
  if (finished_) return;
  if (breaking_) return finish(breaking_details_);
  if (admitted_) onReset();
  finish(reason == net::CloseReason::kHandshakeFailed ? "handshake_failed" : "downstream_remote_disconnect");
}

void NetworkConnection::onDrained() {
  if (!finished_ && !breaking_ && admitted_) onFlushed();
}

bool NetworkConnection::closeNow(std::string_view details) {
  if (finished_) return false;
  finished_ = true;
  const bool cut = over(details);
  LiveConnection::unlink();
  close(false);
  return cut;
}

void NetworkConnection::finishBroken(std::string_view details) {
  if (finished_) return;
  breaking_ = true;
  breaking_details_ = details;
  connection_.resetBehind();
  if (!connection_.open()) finish(details);  // else onBroken follows
}

void NetworkConnection::finish(std::string_view details, bool reset) {
  if (finished_) return;
  finished_ = true;
  over(details);
  LiveConnection::unlink();
  close(reset);
}

void NetworkConnection::close(bool reset) {
  if (!reset) connection_.flush();
  connection_.close(reset);
  if (chain_) chain_->end();
  worker_.loop.deleteLater(std::unique_ptr<event::Deferred>(this));
}

}  // namespace sluice::filter
