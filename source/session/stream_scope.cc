// Route tables of scopes: a stream has that of its request, and another one if filters made another request of it.
#include "source/route/rewrite.h"
#include "source/session/connection.h"
#include "source/session/stream.h"

namespace sluice::session {

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
  if (connection_ == nullptr || connection_->settings().scopes == nullptr) return false;
  const std::shared_ptr<const route::ScopesSlot>& scopes = connection_->settings().scopes;
  const auto index = worker_.scopes.get(scopes->id);
  const std::optional<std::string_view> key = scopes->builder.keyOf(request(), arena_);
  const route::Scope* scope = index && key ? index->value->find(*key) : nullptr;
  if (scope == nullptr || scope->table != nullptr) return false;
  return worker_.route_demands.wait({scopes->id, std::string(*key)}, waiter, [&](const RouteDemand& demand) {
    worker_.services.postToMain(
        [scopes, key = demand.key, worker = worker_.services.index] { scopes->ask(key, worker); });
  });
}

bool Stream::mayChangeTable() const {
  return connection_->settings().scopes != nullptr;
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
