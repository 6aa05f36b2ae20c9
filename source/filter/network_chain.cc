#include "source/filter/connection_gate.h"

#include <utility>

namespace sluice::filter {
namespace {

class Gated : public TerminalNetworkFilter {
 public:
  Gated(ConnectionFilters filters, std::shared_ptr<const TerminalNetworkFilter> terminal)
      : filters_(std::make_shared<const ConnectionFilters>(std::move(filters))), terminal_(std::move(terminal)) {}

  void serve(Accepted accepted, worker::WorkerServices& worker, base::List<LiveConnection>& list) const override {
    accepted.filters = filters_;
    terminal_->serve(std::move(accepted), worker, list);
  }

 private:
  const std::shared_ptr<const ConnectionFilters> filters_;
  const std::shared_ptr<const TerminalNetworkFilter> terminal_;
};

}  // namespace

std::unique_ptr<ConnectionGate> ConnectionGate::make(Accepted& accepted, observability::StatsCells& cells) {
  if (!accepted.filters || accepted.filters->empty()) return nullptr;
  return std::make_unique<ConnectionGate>(accepted, cells);
}

ConnectionGate::ConnectionGate(Accepted& accepted, observability::StatsCells& cells)
    : filters_(std::move(accepted.filters)),
      cells_(cells),
      facts_{.remote = accepted.remote,
             .direct_remote = accepted.direct_remote,
             .local = accepted.local,
             .server_name = accepted.server_name,
             .application_protocols = accepted.application_protocols} {}

ConnectionGate::~ConnectionGate() {
  for (size_t i = 0; i < asked_; ++i) (*filters_)[i]->onEnd(facts_, cells_, !(refused_ && i + 1 == asked_));
}

ConnectionVerdict ConnectionGate::ask(net::Transport* transport, event::TimePoint now) {
  if (transport != nullptr) {
    facts_.tls = transport->tlsInfo();
    if (!transport->serverName().empty()) facts_.server_name = transport->serverName();
    if (!transport->applicationProtocol().empty()) {
      facts_.application_protocols = {std::string(transport->applicationProtocol())};
    }
  }
  while (asked_ < filters_->size()) {
    const ConnectionVerdict verdict = (*filters_)[asked_++]->onConnection(facts_, cells_, now);
    if (verdict.allowed) continue;
    refused_ = true;
    return verdict;
  }
  return {};
}

std::shared_ptr<const TerminalNetworkFilter> makeGated(ConnectionFilters filters,
                                                       std::shared_ptr<const TerminalNetworkFilter> terminal) {
  if (filters.empty() || !terminal) return terminal;
  return std::make_shared<Gated>(std::move(filters), std::move(terminal));
}

}  // namespace sluice::filter
