// What one worker knows of the names in a cache, and who waits there. Thread: the worker's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "source/base/intrusive_list.h"
#include "source/dns_cache/resolved_host.h"
#include "source/dns_cache/waiter.h"
#include "source/event/loop.h"
#include "source/worker/services.h"

namespace sluice::dns_cache {

class NameTable;
class NameView;

// What main has of a view: it posts to the loop, and only there `view` is looked at.
struct ViewLink {
  event::Loop& loop;
  NameView* view = nullptr;  // null: gone
};

class NameView {
 public:
  NameView(worker::WorkerServices& worker, std::weak_ptr<NameTable> table);
  ~NameView();
  NameView(const NameView&) = delete;
  NameView& operator=(const NameView&) = delete;

  // Null: nothing is known of it here.
  ResolvedHostPtr find(std::string_view key) const;
  // Of a name that find() does not know.
  void wait(const HostName& name, Waiter& waiter);

  // --- what main tells
  void onResolved(const ResolvedHostPtr& host);
  void onForgotten(std::string_view key);

 private:
  struct Place {
    ResolvedHostPtr host;  // null: the answer is on its way
    base::List<Waiter> waiting;
  };

  void askMain(HostName name);

  worker::WorkerServices& worker_;
  const std::weak_ptr<NameTable> table_;
  const std::shared_ptr<ViewLink> link_;
  absl::flat_hash_map<std::string, std::unique_ptr<Place>>
      places_;  // at most as many as main has, and those on the way
};

}  // namespace sluice::dns_cache
