// Runs the listener filters of a connection over the bytes that its socket holds, and waits while they need more.
//
// Nothing is taken out of the socket but what a filter consumes. Thread: the worker's.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "source/event/loop.h"
#include "source/filter/listener_filter.h"

namespace sluice::listener {

struct ListenerConfig;

// When a filter is skipped. (proto: ListenerFilterChainMatchPredicate)
struct FilterPredicate {
  enum class Rule : uint8_t { kAny, kAnd, kOr, kNot, kDestinationPort };
  Rule rule;
  std::vector<FilterPredicate> children;  // of kAnd, kOr, kNot
  uint32_t first_port = 0, end_port = 0;  // half open

  bool holds(const filter::Accepted& accepted) const;
};

struct InstalledFilter {
  std::shared_ptr<const filter::ListenerFilter> filter;  // null: that of `discovered`
  std::shared_ptr<const FilterPredicate> disabled;       // null: never
  // Its configuration comes, and changes, while the listener serves. (proto: ExtensionConfigSource)
  std::shared_ptr<const filter::ListenerFilterHolder> discovered = nullptr;
};

using InstalledFilters = std::vector<InstalledFilter>;

// Where one connection stands in its filters. They are those that are there when it is accepted, to its end.
class FilterProgress {
 public:
  enum class State : uint8_t { kDone, kWaiting, kClosed, kPeerEnded };

  // The connection came from another listener, which found where it was going to.
  bool handed_over = false;

  // To be called first. False: a filter misses its configuration.
  bool begin(const InstalledFilters& filters, worker::WorkerServices& worker);
  // Goes on as far as the bytes in the socket allow. `scratch` has kScratch bytes. `ended`: no more bytes will come.
  State run(const InstalledFilters& filters, filter::Accepted& accepted, char* scratch,
            observability::StatsCells& cells, bool ended);
  // The time is over, and the connection is to be served all the same: filters behind the one that waits are asked if
  // they need no byte. False: one of them refuses it.
  bool goOnWithoutBytes(const InstalledFilters& filters, filter::Accepted& accepted, observability::StatsCells& cells);

  static constexpr size_t kScratch = 64 * 1024;

 private:
  const InstalledFilters& chosen(const InstalledFilters& filters) const { return own_ ? *own_ : filters; }

  std::shared_ptr<const InstalledFilters> own_;  // null: none is discovered
  size_t next_ = 0;
  size_t seen_ = 0;  // bytes that the present filter has looked at already
};

// A connection that waits for bytes. It owns itself: it leaves its list and is destroyed when the wait is over.
class Inspection final : public filter::LiveConnection, private event::FdHandler, public event::Deferred {
 public:
  // What a listener does with it; told once for each inspection that was not closed.
  class Owner {
   public:
    virtual ~Owner() = default;
    // kDone: to be served; otherwise it is closed when this returns.
    virtual void inspected(const std::shared_ptr<const ListenerConfig>& config, filter::Accepted accepted,
                           FilterProgress::State state, bool handed_over) = 0;
    virtual void inspectionTimedOut(const std::shared_ptr<const ListenerConfig>& config, filter::Accepted accepted,
                                    FilterProgress progress) = 0;
    virtual char* scratch() = 0;
    virtual observability::StatsCells& cells() = 0;
  };

  static Inspection& start(event::Loop& loop, Owner& owner, std::shared_ptr<const ListenerConfig> config,
                           filter::Accepted accepted, FilterProgress progress);

  // Waiting connections were accepted and will be served: nothing changes for them.
  void drain() override {}
  bool closeNow(std::string_view details) override;

 private:
  Inspection(event::Loop& loop, Owner& owner, std::shared_ptr<const ListenerConfig> config, filter::Accepted accepted,
             FilterProgress progress);
  void onFdEvents(uint32_t events) override;
  filter::Accepted leave();

  event::Loop& loop_;
  Owner& owner_;
  std::shared_ptr<const ListenerConfig> config_;
  filter::Accepted accepted_;
  FilterProgress progress_;
  std::unique_ptr<event::FdWatch> watch_;
  event::Timer timeout_;
  bool over_ = false;
};

}  // namespace sluice::listener
