#include "source/dns_cache/name_view.h"

#include <utility>

#include "source/base/text.h"
#include "source/dns_cache/name_table.h"

namespace sluice::dns_cache {

NameView::NameView(worker::WorkerServices& worker, std::weak_ptr<NameTable> table)
    : worker_(worker), table_(std::move(table)), link_(std::make_shared<ViewLink>(ViewLink{worker.loop, this})) {}

NameView::~NameView() {
  link_->view = nullptr;
  worker_.postToMain([table = table_, link = link_] {
    if (const auto known = table.lock()) known->leave(link);
  });
}

ResolvedHostPtr NameView::find(std::string_view key) const {
  const auto at = places_.find(base::toAbsl(key));
  if (at == places_.end() || !at->second->host) return nullptr;
  const ResolvedHostPtr& host = at->second->host;
  host->usage->touch(worker_.loop.now());
  return host;
}

void NameView::wait(const HostName& name, Waiter& waiter) {
  std::unique_ptr<Place>& place = places_[name.key];
  if (!place) place = std::make_unique<Place>();
  if (place->waiting.empty()) askMain(name);
  place->waiting.pushBack(waiter);
}

void NameView::askMain(HostName name) {
  worker_.postToMain([table = table_, link = link_, name = std::move(name)] {
    if (const auto known = table.lock()) known->ask(name, link);
  });
}

void NameView::onResolved(const ResolvedHostPtr& host) {
  const auto at = places_.find(host->name.key);
  const bool keep = host->outcome != ResolvedHost::Outcome::kFull;
  base::List<Waiter> ready;
  if (at != places_.end()) {
    ready.takeAll(at->second->waiting);
    if (keep) {
      at->second->host = host;
    } else {
      places_.erase(at);
    }
  } else if (keep) {
    places_.emplace(host->name.key, std::make_unique<Place>()).first->second->host = host;
  }
  while (!ready.empty()) {
    Waiter& waiter = ready.front();
    waiter.leave();
    waiter.onResolved(host);
  }
}

void NameView::onForgotten(std::string_view key) {
  const auto at = places_.find(base::toAbsl(key));
  if (at == places_.end()) return;
  at->second->host.reset();
  if (at->second->waiting.empty()) places_.erase(at);
}

}  // namespace sluice::dns_cache
