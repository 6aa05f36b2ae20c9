// Configurations of extensions that come by ECDS: keeps who uses which, and the last good version of each.
//
// One for each name of each source. A version that one of its users cannot take is refused, and all keep what they
// have; one that is taken away serves on for a while, as those who use it may be about to change. Thread: main. Users
// may stop being alive on any thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "source/config/extension_configs.h"
#include "source/event/loop.h"
#include "source/observability/log.h"
#include "source/observability/stats.h"
#include "source/server/resource_key.h"

namespace sluice::server {

class ExtensionManager : public config::ExtensionConfigs {
 public:
  using Bootstrap = envoy::config::bootstrap::v3::Bootstrap;

  // `cells`: main's.
  ExtensionManager(const Bootstrap& bootstrap, event::Loop& main, observability::StatsRegistry& stats,
                   observability::StatsCells& cells, observability::Logger& logger)
      : bootstrap_(bootstrap), main_(main), stats_(stats), cells_(cells), logger_(logger) {}

  bool follow(std::shared_ptr<config::ExtensionUser> user, const std::string& name, const Source& source,
              const config::Context& context) override;
  std::function<void()> userEnded() override;

  // --- for the xDS client ---
  std::string self_source;  // identity of the source of listeners, which `self` means
  // Called when a name is wanted for the first time, and when the last user of it is gone.
  std::function<void(const ResourceKey& key, const Source& source)> on_wanted;
  std::function<void(const ResourceKey& key)> on_unwanted;
  // A version of a name; others than those that are wanted are ignored. `context` stands at typed_config.
  void set(const ResourceKey& key, const google::protobuf::Any& typed_config, const config::Context& context);
  // It is gone after `patience`, unless a version comes before.
  void remove(const ResourceKey& key);
  // How long, from when its name is first wanted, a configuration that there is not is waited for by what takes the
  // place of something that serves; 0: not at all.
  std::chrono::milliseconds patience{0};
  // No version came in time, or there is none: whoever waits goes on without, or gives it what is left of `patience`.
  void giveUp(const ResourceKey& key);

 private:
  using Users = std::vector<std::shared_ptr<config::ExtensionUser>>;
  struct Entry {
    Users users;
    event::TimePoint may_come_until;
    std::optional<google::protobuf::Any> config;  // the last good one; nullopt: there is none
    bool given_up = false;                        // none came, or it was taken away
    std::unique_ptr<event::Timer> leaving;        // it was taken away, and serves until then
    observability::Scope scope;
    observability::Counter reload, fail;
  };

  Entry makeEntry(std::string_view stat_group, const std::string& name);
  std::function<void()> prepare(const ResourceKey& key, config::ExtensionUser& user,
                                const google::protobuf::Any& typed_config, const config::Context& context);
  void drop(const ResourceKey& key);
  void sweep();

  const Bootstrap& bootstrap_;
  event::Loop& main_;
  observability::StatsRegistry& stats_;
  observability::StatsCells& cells_;
  observability::Logger& logger_;
  std::map<ResourceKey, Entry> entries_;
  std::set<ResourceKey> compiling_;                             // one within the other
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // users may outlive the manager
};

}  // namespace sluice::server
