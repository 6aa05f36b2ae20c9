// Route tables of scopes: a stream has that of its request, and another one if filters made another request of it.
#include <algorithm>

#include "source/base/ascii.h"
#include "source/route/rewrite.h"
#include "source/session/connection.h"
#include "source/session/stream.h"

namespace sluice::session {
namespace {

// Whether a name that a client or a filter wrote may become part of a resource's: a byte that is no UTF-8 would make
// the whole request to the control plane one that it cannot read.
bool isVisible(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool mayBeAskedFor(std::string_view host) {
  constexpr size_t kMaxHost = 255;  // RFC 1035, and a port or not
  return isVisible(host) && host.size() <= kMaxHost && host.find('/') == std::string_view::npos;
}

// "*" is the word for all of them.
bool mayBeCluster(std::string_view name) {
  constexpr size_t kMaxName = 512;
  return isVisible(name) && name.size() <= kMaxName && name != "*";
}

}  // namespace

base::LocalPtr<RouteTables::Pinned> Stream::tableNow() {
  const HttpSettings& settings = connection_->settings();
  if (settings.scopes == nullptr) return worker_.tables.get(settings.route_slot->id);
  const FoundScope found = scopeNow();
  if (found.scope == nullptr || found.scope->table == nullptr) return {};
  return worker_.tables.get(found.scope->table->id);
}

Stream::FoundScope Stream::scopeNow() {
  const route::ScopesSlot& scopes = *connection_->settings().scopes;
  FoundScope out{.index = worker_.scopes.get(scopes.id)};
  const auto key = out.index ? scopes.builder.keyOf(request(), arena_) : std::nullopt;
  if (!key) return out;
  out.key = *key;
  out.scope = out.index->value->find(*key);
  return out;
}

// Routes that are on demand, of the scope that the request is of now.
bool Stream::awaitRoutes(filter::RouteWaiter& waiter) {
  if (connection_ == nullptr || route_) return false;
  const std::shared_ptr<const route::ScopesSlot>& scopes = connection_->settings().scopes;
  if (scopes == nullptr) return awaitHost(connection_->settings().route_slot, waiter);
  const FoundScope found = scopeNow();
  if (found.scope == nullptr) return false;
  if (found.scope->table != nullptr) return awaitHost(found.scope->table, waiter);
  return awaitDemand({RouteDemand::Of::kScope, scopes->id, std::string(found.key)}, scopes, waiter);
}

bool Stream::awaitHost(const std::shared_ptr<const route::TableSlot>& slot, filter::RouteWaiter& waiter) {
  if (waited_for_host_ || !table_ || !table_->value->hostsOnDemand() || route_.virtual_host != nullptr) return false;
  const std::string_view host = table_->value->hostOf(request());
  if (!mayBeAskedFor(host)) return false;
  if (!awaitDemand({RouteDemand::Of::kHost, slot->id, base::lowered(host)}, slot, waiter)) return false;
  waited_for_host_ = true;
  return true;
}

bool Stream::awaitCluster(const std::shared_ptr<const route::ClusterSource>& source, std::string_view name,
                          filter::RouteWaiter& waiter) {
  return connection_ != nullptr && mayBeCluster(name) &&
         awaitDemand({RouteDemand::Of::kCluster, source->id, std::string(name)}, source, waiter);
}

template <typename Slot>
bool Stream::awaitDemand(RouteDemand demand, const std::shared_ptr<const Slot>& slot, filter::RouteWaiter& waiter) {
  return worker_.route_demands.wait(std::move(demand), waiter, [&](const RouteDemand& first) {
    worker_.services.postToMain([slot, key = first.key, worker = worker_.services.index] {
      if (slot->ask) slot->ask(key, worker);
    });
  });
}

bool Stream::mayChangeTable() const {
  return waited_for_host_ || connection_->settings().scopes != nullptr;
}

// Filters may hold what the table before says of them, and redirects its routes: it stays pinned.
void Stream::changeTable() {
  auto table = tableNow();
  if (table.get() != table_.get()) {
    if (table_) tables_before_.push_back(std::move(table_));
    table_ = std::move(table);
    if (table_) route::removeInternalOnly(*table_->value, request());
  }
  if (table_) return matchRoute();
  route_ = {};
  info_.virtual_host_name = {};
  info_.route_name = {};
  info_.route_metadata = nullptr;
  info_.virtual_host_metadata = nullptr;
}

}  // namespace sluice::session
