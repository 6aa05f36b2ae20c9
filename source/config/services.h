// What the factories of extensions get: the services of the process that compiles, and the place of what they compile.
//
// Thread: main. Whoever compiles makes a FactoryContext for each call; nothing of it is written beforehand and nothing
// is left behind, so that two compilations never see each other's names.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "envoy/config/core/v3/config_source.pb.h"
#include "source/base/shared_objects.h"
#include "source/config/errors.h"
#include "source/config/init.h"
#include "source/config/secrets.h"
#include "source/http/strictness.h"
#include "source/observability/log.h"
#include "source/observability/log_file.h"
#include "source/observability/stats.h"
#include "source/route/cluster_names.h"
#include "source/route/filter_slots.h"
#include "source/route/table.h"
#include "source/route/table_slot.h"
#include "source/runtime/snapshot.h"
#include "source/stream/metadata.h"
#include "source/worker/local.h"
#include "source/worker/main_services.h"

namespace sluice::filter {
class HttpFilterFactory;
}

namespace sluice::net {
struct ConnectOptions;
}

namespace sluice::config {

struct Registry;
class ClusterSources;
class ExtensionConfigs;
class HttpFilterConfigFactory;
class ScopeSlots;

// A filter of a chain, as far as settings of routes have to know it.
struct ChainFilter {
  ChainFilter(const HttpFilterConfigFactory* factory, std::shared_ptr<const filter::HttpFilterFactory> filter = nullptr)
      : factory(factory), filter(std::move(filter)) {}

  const HttpFilterConfigFactory* factory;                   // null: a terminal filter, which has no per-route settings
  std::shared_ptr<const filter::HttpFilterFactory> filter;  // what it made; null: that comes by ECDS, or was refused
};
// Those of a connection manager by their names; of several of one name the first.
using ChainFilters = std::map<std::string, ChainFilter, std::less<>>;

// Which defaults stand where a field is not set. (docs: "Defaults" in ARCHITECTURE.md)
enum class Defaults : uint8_t { kEdge, kEnvoy };

// Gives route tables their places; RDS fills them later.
class RouteSlots {
 public:
  virtual ~RouteSlots() = default;
  virtual std::shared_ptr<const route::TableSlot> inlineTable(std::shared_ptr<const route::Table> table) = 0;
  // Null after reporting to `context` if the source cannot be used. `init`: of what is being compiled, which waits for
  // the first table; null: nobody waits.
  virtual std::shared_ptr<const route::TableSlot> rds(const std::string& name,
                                                      const envoy::config::core::v3::ConfigSource& source,
                                                      InitTargets* init, const Context& context) = 0;
  // `slot` of rds(), for a connection manager with these filters: tables come later than the chain and may have
  // settings for filters that it does not have.
  virtual std::shared_ptr<const route::TableSlot> usedBy(std::shared_ptr<const route::TableSlot> slot,
                                                         const ChainFilters& /*chain*/,
                                                         std::string_view /*stat_prefix*/) {
    return slot;
  }
  // The table that a slot has by now; null: none, or it is not known here.
  virtual std::shared_ptr<const route::Table> tableOf(const route::TableSlot&) { return nullptr; }
};

// For configurations that are only checked: any table has a place, and nobody asks for it.
class AnyRoutes final : public RouteSlots {
 public:
  std::shared_ptr<const route::TableSlot> inlineTable(std::shared_ptr<const route::Table>) override {
    return std::make_shared<route::TableSlot>();
  }
  std::shared_ptr<const route::TableSlot> rds(const std::string&, const envoy::config::core::v3::ConfigSource&,
                                              InitTargets*, const Context&) override {
    return std::make_shared<route::TableSlot>();
  }
};

// What factories may use. All of it outlives what they make.
struct Services {
  const Registry& registry;
  observability::StatsRegistry& stats;
  observability::LogFiles* log_files;  // null: only validating, nothing is opened
  route::ClusterNames& cluster_names;
  route::FilterSlots& filter_slots;
  RouteSlots& route_slots;
  Defaults defaults = Defaults::kEdge;
  // Whether a cluster is configured; empty: not known here, references are not checked.
  std::function<bool(std::string_view cluster)> cluster_exists = {};
  // Null: configurations of extensions that come by their names are not followed; configurations are only checked.
  ExtensionConfigs* extension_configs = nullptr;
  // Null: secrets with names and files that change are not followed; configurations are only checked.
  Secrets* secrets = nullptr;
  // Places for the scopes of connection managers; null: they are only checked.
  ScopeSlots* scopes = nullptr;
  // Whom requests ask for clusters; null: nobody is asked, configurations are only checked.
  ClusterSources* cluster_sources = nullptr;
  // The cluster that this process belongs to, for what tells services of itself. (proto: Node.cluster)
  std::string node_cluster = {};
  std::string node_id = {};  // of the process itself
  // Where WorkerLocals of what is compiled get their numbers.
  worker::LocalSlots local_slots = {};
  // Null: configurations are only checked, nothing is done for them on main.
  worker::MainServices* main = nullptr;
  // Objects that outlive a generation of the configuration: FactoryContext::shared().
  base::SharedObjects objects = {};
  // What the keys of the bootstrap's runtime layers say; null where they are not known.
  std::shared_ptr<const runtime::Snapshot> runtime = nullptr;
  // Whether health checks of this process are to fail: somebody said so. (admin: POST /healthcheck/fail) Never null.
  std::shared_ptr<const std::atomic<bool>> checks_fail = std::make_shared<std::atomic<bool>>(false);
  // What clients may break without being refused; it is counted and told. (flag: --report-only)
  http::StrictRules report_only = {};
  // The process's own log; null: configurations are only checked.
  observability::Logger* logger = nullptr;
  // Where ejections of hosts are written; null: nowhere. (proto: Bootstrap.cluster_manager.outlier_detection)
  std::shared_ptr<observability::LogFile> outlier_log = nullptr;
  // How clusters that do not say it themselves connect; null: as the system does. (proto:
  // Bootstrap.cluster_manager.upstream_bind_config)
  std::shared_ptr<const net::ConnectOptions> upstream_bind = nullptr;
};

// What a factory gets beside the message, by value: it may keep a copy for as long as its services live.
struct FactoryContext {
  Services& services;
  // Of the message: where errors are reported.
  Context at;
  // Stats by their whole names, which live as long as what is being made.
  observability::StatsScope stats;
  // What the message belongs to. Of a transport socket and a listener's filters: the name of the listener or cluster in
  // stats. Of the filters of a connection manager and their per-route settings: what their stats begin with,
  // "http.PREFIX."; empty for tables that many connection managers share.
  std::string owner = {};
  // What is being made among all that the process has, in the same words for its next generation: "listener 'l'/filter
  // chain 'c'/TYPE#0". Empty: nothing that another generation follows.
  std::string identity = {};
  // Of the listener or cluster that is being compiled; not to be used later on. Null: nobody waits, because it is only
  // checked or serves already.
  InitTargets* init = nullptr;
  // Of the terminal filter of a chain: the names of its listener and its filter chain, for logs.
  std::string listener = {};
  std::string filter_chain = {};
  std::shared_ptr<const stream::ListenerMetadata> listener_metadata = nullptr;  // null: nothing is said of the two
  route::SettingsLevel route_level = {};                                        // of settings of routes

  // What is being compiled serves when this is ready, or after `deadline` (0: there is none). Of no effect where nobody
  // waits.
  InitTarget waitFor(std::string name, std::chrono::milliseconds deadline = {}) const {
    return init == nullptr ? InitTarget() : init->add(std::move(name), deadline);
  }
  // The same for a part of the message.
  FactoryContext child(std::string_view field) const { return moved(at.child(field)); }
  FactoryContext child(std::string_view field, size_t index) const { return moved(at.child(field, index)); }
  FactoryContext moved(Context to) const {
    return {services,     std::move(to),     stats,      owner, identity, init, listener,
            filter_chain, listener_metadata, route_level};
  }

  // An object of the whole process that the next generation of what is being made finds again, as long as this one, or
  // a connection of it, still holds it: counts, tokens, caches. `what`: its name, and all settings that another object
  // would have to be made for. Thread-safe itself: all workers use it.
  template <typename T, typename... Arguments>
  std::shared_ptr<T> shared(std::string_view what, Arguments&&... arguments) const {
    auto make = [&] { return std::make_shared<T>(std::forward<Arguments>(arguments)...); };
    if (identity.empty()) return make();
    return services.objects.get<T>(identity + "/" + std::string(what), make);
  }
};

}  // namespace sluice::config
