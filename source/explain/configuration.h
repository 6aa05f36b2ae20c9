// The configuration that is asked, wherever it is: compiled of a file, or what a process serves with.
//
// Thread: main, or the one that compiled the file. What is returned by pointer lives as long as nothing changes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "source/config/errors.h"
#include "source/config/listener_compiler.h"
#include "source/config/registry.h"
#include "source/config/services.h"
#include "source/net/address.h"
#include "source/route/scopes.h"
#include "source/route/table.h"

namespace sluice::explain {

struct Listener {
  const config::CompiledListener* compiled = nullptr;
  const envoy::config::listener::v3::Listener* proto = nullptr;  // that was compiled
  std::vector<net::Address> addresses;                           // as bound where it is known, else as configured
  std::string path;  // of its message: "static_resources.listeners[0]"; empty: it came from a control plane
  std::string note;  // "another version waits for ..."; empty: nothing is to come
};

struct Host {
  std::string address;   // with the port
  std::string hostname;  // empty: it has none
  uint32_t weight = 1;
  uint32_t priority = 0;
  std::string locality;  // "region/zone/sub_zone"; empty: none
  std::string health;    // "healthy", "degraded", "unhealthy", ...; of a file what that says
  std::string reason;    // of the health; empty: nothing to say

  bool operator==(const Host&) const = default;
};

struct Cluster {
  std::string name;
  std::string type;         // "STATIC", "EDS", ..., or the name of its extension
  std::vector<Host> hosts;  // as far as they are known
  std::string note;         // where the others come from; empty: these are all
  std::string path;         // as of a listener

  bool operator==(const Cluster&) const = default;
};

class Configuration {
 public:
  virtual ~Configuration() = default;

  // Those that serve, in the order of the configuration or of their names.
  virtual std::vector<Listener> listeners() const = 0;
  // The table that serves in the slot; null: none has come, or none is known here.
  virtual std::shared_ptr<const route::Table> tableOf(const route::TableSlot& slot) const = 0;
  // A slot without a table is one that none has come for, and requests are answered so; else it is not known.
  virtual bool knowsAllRoutes() const = 0;
  // The message of a table by RDS; nullopt: it is not known here.
  virtual std::optional<envoy::config::route::v3::RouteConfiguration> routesByName(const std::string& name) const = 0;
  // Null: they are not known here.
  virtual std::shared_ptr<const route::ScopeIndex> scopesOf(const route::ScopesSlot& slot) const = 0;
  // Nullopt: there is none of that name.
  virtual std::optional<Cluster> cluster(const std::string& name) const = 0;
  virtual const config::Registry& registry() const = 0;
  // Where fields stand in their files; null: not known.
  virtual const config::Positions* positions() const = 0;
};

// What the message says of its endpoints.
Cluster describeCluster(const envoy::config::cluster::v3::Cluster& proto, std::string path);

// Keeps the tables of a configuration that is compiled to be asked.
class KeptRoutes final : public config::RouteSlots {
 public:
  std::shared_ptr<const route::TableSlot> inlineTable(std::shared_ptr<const route::Table> table) override;
  std::shared_ptr<const route::TableSlot> rds(const std::string& name,
                                              const envoy::config::core::v3::ConfigSource& source,
                                              config::InitTargets* init, const config::Context& context) override;
  std::shared_ptr<const route::Table> tableOf(const route::TableSlot& slot) override { return find(slot); }
  // Null: it is to come by RDS.
  std::shared_ptr<const route::Table> find(const route::TableSlot& slot) const;

 private:
  std::map<uint32_t, std::shared_ptr<const route::Table>> tables_;
  uint32_t next_id_ = 0;
};

}  // namespace sluice::explain
