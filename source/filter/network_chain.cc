#include "source/filter/network_chain.h"

#include <cassert>
#include <utility>

#include "source/filter/byte_stage.h"
#include "source/filter/wrapped_terminal.h"

namespace sluice::filter {
namespace {

class Filtered final : public WrappedTerminal {
 public:
  Filtered(NetworkFilters filters, std::shared_ptr<const TerminalNetworkFilter> terminal)
      : filters_(std::make_shared<const NetworkFilters>(std::move(filters))), terminal_(std::move(terminal)) {}

  void serve(Accepted accepted, worker::WorkerServices& worker, base::List<LiveConnection>& list) const override {
    accepted.filters = filters_;
    terminal_->serve(std::move(accepted), worker, list);
  }
  const TerminalNetworkFilter& inner() const override { return *terminal_; }

 private:
  const std::shared_ptr<const NetworkFilters> filters_;
  const std::shared_ptr<const TerminalNetworkFilter> terminal_;
};

}  // namespace

std::unique_ptr<NetworkChain> NetworkChain::make(Accepted& accepted, worker::WorkerServices& worker,
                                                 LiveConnection& connection) {
  if (!accepted.filters || accepted.filters->empty()) return nullptr;
  std::unique_ptr<NetworkChain> chain(new NetworkChain(accepted, worker, connection));
  ByteStage::Filters objects;
  for (size_t i = 0; i < chain->filters_->size(); ++i) {
    std::unique_ptr<NetworkFilter> object = (*chain->filters_)[i]->create();
    if (!object) continue;
    objects.resize(chain->filters_->size());
    objects[i] = std::move(object);
  }
  if (objects.empty()) return chain;
  auto stage = std::make_unique<ByteStage>(*chain, std::move(objects), std::move(accepted.transport), worker.buffers,
                                           accepted.buffer_limit);
  chain->stage_ = stage.get();
  accepted.transport = std::move(stage);
  return chain;
}

NetworkChain::NetworkChain(Accepted& accepted, worker::WorkerServices& worker, LiveConnection& connection)
    : NetworkStream(worker, {.remote = accepted.remote,
                             .direct_remote = accepted.direct_remote,
                             .local = accepted.local,
                             .server_name = accepted.server_name,
                             .application_protocols = accepted.application_protocols,
                             .state = accepted.state}),
      filters_(std::move(accepted.filters)),
      connection_(connection) {}

NetworkChain::~NetworkChain() {
  assert(ended_ && "the terminal filter says when the connection is closed");
}

void NetworkChain::learn(net::Transport* transport) {
  if (transport == nullptr) return;
  facts_.transport = transport;
  facts_.tls = transport->tlsInfo();
  if (!transport->serverName().empty()) facts_.server_name = transport->serverName();
  if (!transport->applicationProtocol().empty()) {
    facts_.application_protocols = {std::string(transport->applicationProtocol())};
  }
}

bool NetworkChain::admit(net::Transport* transport) {
  if (stage_ != nullptr) return true;  // they were asked while the connection was not established yet
  learn(transport);
  return ask();
}

bool NetworkChain::asking() const {
  return stage_ != nullptr && stage_->asking();
}

// Goes on asking. True once all of them let it through.
bool NetworkChain::ask() {
  if (stage_ != nullptr && !stage_->mayGoOn()) return false;
  while (!closing_ && asked_ < filters_->size()) {
    const size_t position = asked_++;
    const NetworkResult result = (*filters_)[position]->admit(*this);
    assert(result.kind() != NetworkResult::Kind::kPause && "nobody could resume it: wait in onNewConnection()");
    if (result.kind() != NetworkResult::Kind::kNext) {
      refused_ = true;
      close(result.close());
    } else if (stage_ != nullptr && !stage_->open(position)) {
      return false;
    }
  }
  return !closing_;
}

NetworkToken NetworkChain::resumeToken() {
  assert(stage_ != nullptr && "a factory has no hook that may wait");
  return stage_->token();
}

void NetworkChain::close(const Close& close) {
  if (closing_ || ended_) return;
  closing_ = true;
  details_ = close.details;
  if (close.flag) facts_.response_flags.set(*close.flag);
  if (stage_ != nullptr) stage_->stopReading();
  if (close.delay.count() <= 0) return closeSoon();
  delay_ = std::make_unique<event::Timer>(worker_.loop.timers(), [this] { connection_.closeNow(details_); });
  delay_->arm(close.delay);
}

void NetworkChain::closeSoon() {
  close_now_ = true;
  wakeSoon();
}

void NetworkChain::runAtTurnEnd() {
  if (ended_) return;
  if (close_now_) {
    connection_.closeNow(details_);
  } else if (stage_ != nullptr) {
    stage_->goOn();
  }
}

void NetworkChain::end() {
  if (std::exchange(ended_, true)) return;
  if (delay_) delay_->cancel();
  TurnTask::unlink();
  if (stage_ != nullptr) stage_->end();
  for (size_t i = 0; i < asked_; ++i) {
    const bool admitted = !(refused_ && i + 1 == asked_);
    if (stage_ != nullptr && admitted) stage_->tellEnd(i);
    (*filters_)[i]->onEnd(*this, admitted);
  }
}

std::shared_ptr<const TerminalNetworkFilter> makeFiltered(NetworkFilters filters,
                                                          std::shared_ptr<const TerminalNetworkFilter> terminal) {
  if (filters.empty() || !terminal) return terminal;
  return std::make_shared<Filtered>(std::move(filters), std::move(terminal));
}

}  // namespace sluice::filter
