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
bool mayBeAskedFor(std::string_view host) {
  constexpr size_t kMaxHost = 255;  // RFC 1035, and a port or not
  return !host.empty() && host.size() <= kMaxHost &&
         std::all_of(host.begin(), host.end(), [](char c) { return c > ' ' && c < 0x7f && c != '/'; });
}

}  // namespace

base::LocalPtr<RouteTables::Pinned> Stream::tableOfScope(const route::ScopesSlot& scopes) {
  const auto index = worker_.scopes.get(scopes.id);
  if (!index) return {};
  const std::optional<std::string_view> key = scopes.builder.keyOf(request(), arena_);
  const route::Scope* scope = key ? index->value->find(*key) : nullptr;
  if (scope == nullptr || scope->table == nullptr) return {};
  return worker_.tables.get(scope->table->id);
}

// Routes that are on demand, of the scope that the request is of now.
bool Stream::awaitRoutes(filter::RouteWaiter& waiter) {
  if (connection_ == nullptr || route_) return false;
  const std::shared_ptr<const route::ScopesSlot>& scopes = connection_->settings().scopes;
  if (scopes == nullptr) return awaitHost(connection_->settings().route_slot, waiter);
  const auto index = worker_.scopes.get(scopes->id);
  const std::optional<std::string_view> key = scopes->builder.keyOf(request(), arena_);
  const route::Scope* scope = index && key ? index->value->find(*key) : nullptr;
  if (scope == nullptr) return false;
  if (scope->table != nullptr) return awaitHost(scope->table, waiter);
  return awaitDemand({RouteDemand::Of::kScope, scopes->id, std::string(*key)}, scopes, waiter);
}

bool Stream::awaitHost(const std::shared_ptr<const route::TableSlot>& slot, filter::RouteWaiter& waiter) {
  if (waited_for_host_ || !table_ || !table_->value->hostsOnDemand() || route_.virtual_host != nullptr) return false;
  const std::string_view host = table_->value->hostOf(request());
  if (!mayBeAskedFor(host)) return false;
  if (!awaitDemand({RouteDemand::Of::kHost, slot->id, base::lowered(host)}, slot, waiter)) return false;
  waited_for_host_ = true;
  return true;
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
  const HttpSettings& settings = connection_->settings();
  auto table =
      settings.scopes == nullptr ? worker_.tables.get(settings.route_slot->id) : tableOfScope(*settings.scopes);
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
