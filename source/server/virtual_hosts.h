// Virtual hosts that come on demand (VHDS): which of them the route tables by RDS have, and who waits for one.
//
// A table is compiled anew with each host that comes, as what stands in it and what has come are one table for the
// workers. Thread: main.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "envoy/config/route/v3/route.pb.h"
#include "source/config/errors.h"
#include "source/route/table.h"
#include "source/server/resource_key.h"

namespace sluice::server {

class VirtualHosts {
 public:
  using Routes = envoy::config::route::v3::RouteConfiguration;
  using VirtualHost = envoy::config::route::v3::VirtualHost;
  using Source = envoy::config::core::v3::ConfigSource;
  // A table that is asked for more than this forgets hosts that there are not, and those that have not come; names come
  // from clients.
  static constexpr size_t kMaxHosts = 1000;
  static constexpr size_t kMaxWaits = 1000;  // for one host

  struct Deps {
    // Null after reporting.
    std::function<std::shared_ptr<const route::Table>(const Routes& routes, const config::Context& context)> compile;
    // Gives the workers a table of that name. `routes`: what it was compiled from.
    std::function<void(const ResourceKey& table, const Routes& routes, std::shared_ptr<const route::Table> compiled,
                       const std::string& version)>
        give;
    // Begins and ends the interest in a host by its name on the wire.
    std::function<void(const Source& source, const std::string& name)> want;
    std::function<void(const std::string& source, const std::string& name)> unwant;
    std::string self_source;  // as RouteManager's
    bool ads_delta = false;   // the aggregated stream is incremental
    bool self_delta = false;  // so is that of the listeners
  };
  explicit VirtualHosts(Deps deps) : deps_(std::move(deps)) {}

  // A table with `vhds` came; it is given, with the hosts that it has already, unless something is wrong.
  void setTable(const ResourceKey& table, const Routes& routes, const std::string& version,
                const config::Context& context);
  // The table has none, or nobody has the table.
  void forget(const ResourceKey& table);
  // Asks for a host of a table, in lower case; `done` is called when the workers have it, or when it is not waited for.
  void demand(const ResourceKey& table, const std::string& host, std::function<void()> done);

  // What came of a host, by its name on the wire.
  void set(const ResourceKey& resource, const VirtualHost& host, const config::Context& context);
  void remove(const ResourceKey& resource);
  void giveUp(const ResourceKey& resource);

 private:
  struct Host {
    std::optional<VirtualHost> proto;  // nullopt: not here
    bool settled = false;              // that is known
    uint64_t came = 0;                 // its place among those that came
    std::vector<std::function<void()>> waits;
  };
  using Hosts = std::map<std::string, Host, std::less<>>;
  struct Table {
    Routes routes;
    std::string version;
    std::string source;  // of its hosts
    Hosts hosts;         // that were asked for
  };
  using Tables = std::map<ResourceKey, Table>;

  std::optional<std::string> sourceOf(const Routes& routes, const config::Context& context) const;
  // The table's own hosts, and those that came, in that order; `changed` is `to` instead of what it was, if given.
  static Routes whole(const Routes& routes, const Hosts& hosts, std::string_view changed = {},
                      const VirtualHost* to = nullptr);
  // Calls `visit` with each table that asked for that host.
  template <typename Visit>
  void forEach(const ResourceKey& resource, Visit visit);
  static void settle(Host& host);
  void drop(const ResourceKey& table, Hosts::iterator host);
  bool makeRoom(const ResourceKey& key, Table& table);

  const Deps deps_;
  Tables tables_;
  uint64_t came_ = 0;  // so many have
};

}  // namespace sluice::server
