// An HTTP filter whose configuration comes, and changes, while it serves: a stream goes through the one that is there
// when its request reaches it, to its end. A request for which none is there is answered 500. (proto:
// ExtensionConfigSource)
#pragma once

#include <memory>
#include <utility>

#include "source/filter/delegating_filter.h"
#include "source/worker/exchanged.h"

namespace sluice::filter {

// Null: no configuration has come.
using FilterHolder = worker::Exchanged<HttpFilterFactory>;

class DiscoveredFilter final : public DelegatingFilter {
 public:
  explicit DiscoveredFilter(const std::shared_ptr<FilterHolder>& slot) : slot_(*slot) {}
  ~DiscoveredFilter() override { end(); }

 private:
  const HttpFilterFactory* choose(Context& context) override;
  HookResult withoutFilter() override;

  const FilterHolder& slot_;
  FilterHolder::Ptr factory_;  // pinned
};

using DiscoveredFilterFactory = Factory<DiscoveredFilter, std::shared_ptr<FilterHolder>>;

}  // namespace sluice::filter
