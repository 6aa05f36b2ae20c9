#include "source/server/virtual_hosts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/config/config_source.h"

namespace sluice::server {

std::optional<std::string> VirtualHosts::sourceOf(const Routes& routes, const config::Context& context) const {
  using Kind = config::ResourceSource::Kind;
  const config::Context at = context.child("vhds").child("config_source");
  const auto source = config::compileConfigSource(routes.vhds().config_source(), at);
  if (!source) return std::nullopt;
  const bool delta = source->kind == Kind::kGrpc   ? source->grpc.delta
                     : source->kind == Kind::kSelf ? deps_.self_delta
                                                   : source->kind == Kind::kAds && deps_.ads_delta;
  if (!delta) {
    at.error("is not incremental, and virtual hosts come so only; write DELTA_GRPC, here or for the aggregated stream");
    return std::nullopt;
  }
  return keyOf(routes.vhds().config_source(), {}, deps_.self_source).source;
}

VirtualHosts::Routes VirtualHosts::whole(const Routes& routes, const Hosts& hosts, std::string_view changed,
                                         const VirtualHost* to) {
  // One that several names were asked for by is one. By their places in the table, which a new one must not change,
  // limits find their counts again.
  std::map<std::string_view, std::pair<uint64_t, const VirtualHost*>> by_name;
  const auto add = [&by_name](uint64_t came, const VirtualHost& proto) {
    const auto [at, added] = by_name.try_emplace(proto.name(), came, &proto);
    if (!added) at->second = {std::min(at->second.first, came), &proto};
  };
  for (const auto& [name, host] : hosts) {
    if (host.proto && (to == nullptr || name != changed)) add(host.came, *host.proto);
  }
  if (to != nullptr) add(hosts.find(changed)->second.came, *to);
  std::map<uint64_t, const VirtualHost*> in_order;
  for (const auto& [name, host] : by_name) in_order.insert(host);
  Routes out = routes;
  for (const auto& [came, host] : in_order) *out.add_virtual_hosts() = *host;
  return out;
}

void VirtualHosts::setTable(const ResourceKey& key, const Routes& routes, const std::string& version,
                            const config::Context& context) {
  const std::optional<std::string> source = sourceOf(routes, context);
  if (!source) return;
  const auto known = tables_.find(key);
  const bool same_source = known != tables_.end() && known->second.source == *source;
  const Routes all = same_source ? whole(routes, known->second.hosts) : routes;
  std::shared_ptr<const route::Table> compiled = deps_.compile(all, context);
  if (!compiled) return;
  if (!same_source) forget(key);
  Table& table = tables_[key];
  table.routes = routes;
  table.version = version;
  table.source = *source;
  deps_.give(key, all, std::move(compiled), version);
}

void VirtualHosts::forget(const ResourceKey& key) {
  const auto table = tables_.find(key);
  if (table == tables_.end()) return;
  while (!table->second.hosts.empty()) drop(key, table->second.hosts.begin());
  tables_.erase(table);
}

// Nobody waits for it any more; it is not asked for unless another table of that name does so.
void VirtualHosts::drop(const ResourceKey& key, Hosts::iterator host) {
  Table& table = tables_.at(key);
  const ResourceKey resource{table.source, absl::StrCat(key.name, "/", host->first)};
  settle(host->second);
  table.hosts.erase(host);
  bool wanted = false;
  forEach(resource, [&](const ResourceKey&, Table&, const std::string&, Host&) { wanted = true; });
  if (!wanted) deps_.unwant(resource.source, resource.name);
}

bool VirtualHosts::makeRoom(const ResourceKey& key, Table& table) {
  if (table.hosts.size() < kMaxHosts) return true;
  auto goes = std::find_if(table.hosts.begin(), table.hosts.end(),
                           [](const auto& host) { return host.second.settled && !host.second.proto; });
  if (goes == table.hosts.end()) {
    goes = std::find_if(table.hosts.begin(), table.hosts.end(), [](const auto& host) { return !host.second.proto; });
  }
  if (goes == table.hosts.end()) return false;
  drop(key, goes);
  return true;
}

void VirtualHosts::demand(const ResourceKey& key, const std::string& host, std::function<void()> done) {
  const auto table = tables_.find(key);
  if (table == tables_.end()) return done();
  const auto known = table->second.hosts.find(host);
  if (known != table->second.hosts.end()) {
    // What the worker does not have is on its way.
    if (known->second.settled || known->second.waits.size() >= kMaxWaits) return done();
    known->second.waits.push_back(std::move(done));
    return;
  }
  if (!makeRoom(key, table->second)) return done();
  table->second.hosts[host].waits.push_back(std::move(done));
  deps_.want(table->second.routes.vhds().config_source(), absl::StrCat(key.name, "/", host));
}

// What is told stands behind what was given in the order of the workers' work.
void VirtualHosts::settle(Host& host) {
  host.settled = true;
  for (const auto& done : std::exchange(host.waits, {})) done();
}

template <typename Visit>
void VirtualHosts::forEach(const ResourceKey& resource, Visit visit) {
  const size_t slash = resource.name.rfind('/');
  if (slash == std::string::npos) return;
  const std::string name = resource.name.substr(0, slash), host = resource.name.substr(slash + 1);
  for (auto& [key, table] : tables_) {
    if (key.name != name || table.source != resource.source) continue;
    if (const auto known = table.hosts.find(host); known != table.hosts.end()) visit(key, table, host, known->second);
  }
}

void VirtualHosts::set(const ResourceKey& resource, const VirtualHost& proto, const config::Context& context) {
  forEach(resource, [&](const ResourceKey& key, Table& table, const std::string& name, Host& host) {
    config::ErrorList errors;
    const uint64_t came = host.came;
    if (!host.proto || host.proto->name() != proto.name()) host.came = ++came_;
    const Routes all = whole(table.routes, table.hosts, name, &proto);
    std::shared_ptr<const route::Table> compiled = deps_.compile(all, config::Context(errors));
    if (!compiled) {
      host.came = came;
      return context.error(absl::StrCat("routes '", key.name, "' cannot have it: ", errors.toString()));
    }
    host.proto = proto;
    deps_.give(key, all, std::move(compiled), table.version);
    settle(host);
  });
}

void VirtualHosts::remove(const ResourceKey& resource) {
  forEach(resource, [&](const ResourceKey& key, Table& table, const std::string&, Host& host) {
    if (std::exchange(host.proto, std::nullopt)) {
      config::ErrorList errors;  // what is left was in order with it
      const Routes all = whole(table.routes, table.hosts);
      if (auto compiled = deps_.compile(all, config::Context(errors))) {
        deps_.give(key, all, std::move(compiled), table.version);
      }
    }
    settle(host);
  });
}

void VirtualHosts::giveUp(const ResourceKey& resource) {
  forEach(resource, [](const ResourceKey&, Table&, const std::string&, Host& host) { settle(host); });
}

}  // namespace sluice::server
