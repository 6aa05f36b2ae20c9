// Who waits for what a name stands for. Destruction ends the wait. Thread: a worker's.
#pragma once

#include <utility>

#include "source/base/intrusive_list.h"
#include "source/dns_cache/pending_limit.h"
#include "source/dns_cache/resolved_host.h"

namespace sluice::dns_cache {

class Waiter : public base::ListNode {
 public:
  Waiter() = default;
  virtual ~Waiter() { leave(); }
  // The answer, once, never inside DnsCache::ask(). May destroy this.
  virtual void onResolved(const ResolvedHostPtr& host) = 0;

 private:
  friend class DnsCache;
  friend class NameView;

  void leave() {
    unlink();
    if (PendingLimit* limit = std::exchange(limit_, nullptr)) limit->release(*cells_);
  }

  PendingLimit* limit_ = nullptr;  // of which it has a place; null: it does not wait
  observability::StatsCells* cells_ = nullptr;
};

}  // namespace sluice::dns_cache
