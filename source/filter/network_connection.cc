#include "source/filter/network_connection.h"

#include <utility>

namespace sluice::filter {

NetworkConnection::NetworkConnection(worker::WorkerServices& worker, Accepted& accepted)
    : worker_(worker),
      connection_(worker.loop, worker.buffers, std::move(accepted.fd), net::Connection::Mode::kAccepted, *this,
                  std::move(accepted.transport)),
      gate_(ConnectionGate::make(accepted, worker.cells)),
      handshake_timeout_(accepted.transport_timeout.count() > 0 ? accepted.transport_timeout : kHandshakeTimeout),
      established_(!connection_.connecting()) {}

NetworkConnection::~NetworkConnection() = default;

void NetworkConnection::begin(base::List<LiveConnection>& list) {
  list.pushBack(*this);
  if (established_) return admit();
  wait_ = std::make_unique<event::Timer>(worker_.loop.timers(), [this] { finish(refusal_); });
  refusal_ = "handshake_timeout";
  wait_->arm(handshake_timeout_);
}

void NetworkConnection::onConnected() {
  established_ = true;
  wait_.reset();
  admit();
}

void NetworkConnection::admit() {
  if (gate_) {
    const ConnectionVerdict verdict = gate_->ask(connection_.transport(), worker_.loop.now());
    if (!verdict.allowed) {
      if (verdict.delay.count() == 0) return finish(verdict.details);
      refusal_ = verdict.details;
      wait_ = std::make_unique<event::Timer>(worker_.loop.timers(), [this] { finish(refusal_); });
      return wait_->arm(verdict.delay);
    }
  }
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
  if (breaking_) return finish(refusal_);
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
  connection_.flush();
  connection_.close();
  worker_.loop.deleteLater(std::unique_ptr<event::Deferred>(this));
  return cut;
}

void NetworkConnection::finishBroken(std::string_view details) {
  if (finished_) return;
  breaking_ = true;
  refusal_ = details;
  connection_.resetBehind();
  if (!connection_.open()) finish(details);  // else onBroken follows
}

void NetworkConnection::finish(std::string_view details, bool reset) {
  if (finished_) return;
  finished_ = true;
  over(details);
  LiveConnection::unlink();
  if (!reset) connection_.flush();
  connection_.close(reset);
  worker_.loop.deleteLater(std::unique_ptr<event::Deferred>(this));
}

}  // namespace sluice::filter
