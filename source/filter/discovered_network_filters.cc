#include "source/filter/discovered_network_filters.h"

#include <utility>

#include "source/filter/wrapped_terminal.h"

namespace sluice::filter {
namespace {

class Discovered final : public WrappedTerminal {
 public:
  Discovered(NetworkFilters filters, std::vector<DiscoveredNetworkFilter> discovered,
             std::shared_ptr<const TerminalNetworkFilter> terminal)
      : filters_(std::move(filters)), discovered_(std::move(discovered)), terminal_(std::move(terminal)) {}

  void serve(Accepted accepted, worker::WorkerServices& worker, base::List<LiveConnection>& list) const override {
    auto filters = std::make_shared<NetworkFilters>(filters_);
    for (const DiscoveredNetworkFilter& filter : discovered_) {
      const NetworkFilterHolder::Ptr& present = filter.holder->get(worker);
      if (present == nullptr) return;  // what was accepted is closed
      (*filters)[filter.index] = present;
    }
    accepted.filters = std::move(filters);
    terminal_->serve(std::move(accepted), worker, list);
  }
  const TerminalNetworkFilter& inner() const override { return *terminal_; }

 private:
  const NetworkFilters filters_;
  const std::vector<DiscoveredNetworkFilter> discovered_;
  const std::shared_ptr<const TerminalNetworkFilter> terminal_;
};

}  // namespace

std::shared_ptr<const TerminalNetworkFilter> makeDiscovered(NetworkFilters filters,
                                                            std::vector<DiscoveredNetworkFilter> discovered,
                                                            std::shared_ptr<const TerminalNetworkFilter> terminal) {
  if (terminal == nullptr) return nullptr;
  return std::make_shared<const Discovered>(std::move(filters), std::move(discovered), std::move(terminal));
}

}  // namespace sluice::filter
