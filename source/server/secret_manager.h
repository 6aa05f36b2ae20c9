// Secrets of the process: those of the bootstrap, those that SDS brings, and files that change.
//
// What arrives is read and checked before it gets into its slot; a version that is no good (half written, a key that is
// not the certificate's) is told in the log and in the stats sds.NAME.*, and the last good one goes on serving. Files
// of secrets are read again when their directory changes: those of SDS secrets always, those that stand in the
// configuration if they have a watched_directory. Thread: main.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "source/config/secrets.h"
#include "source/event/directory_watch.h"
#include "source/event/loop.h"
#include "source/observability/log.h"
#include "source/observability/stats.h"

namespace sluice::server {

// Secrets as far as a bootstrap tells: for validating, and the base of what serves.
class BootstrapSecrets : public config::Secrets {
 public:
  using Bootstrap = envoy::config::bootstrap::v3::Bootstrap;

  explicit BootstrapSecrets(const Bootstrap& bootstrap) : bootstrap_(bootstrap) {}

  // Reads static_resources.secrets; `context` stands at static_resources.
  void load(const config::Context& context);

  config::SecretSlotPtr named(const SdsSecretConfig& config, config::SecretKind kind,
                              const config::Context& context) override;
  config::SecretSlotPtr watched(Secret secret, const config::Context& context) override;
  void add(std::shared_ptr<config::SecretUser>, std::vector<config::SecretSlotPtr>) override {}
  std::function<void()> userEnded() override { return {}; }

 protected:
  // A secret that SDS brings; the source was checked.
  virtual config::SecretSlotPtr dynamic(const SdsSecretConfig& config, config::SecretKind kind,
                                        const config::Context& context);

 private:
  const Bootstrap& bootstrap_;
  std::map<std::string, std::pair<config::SecretKind, config::SecretSlotPtr>> static_;
};

class SecretManager : public BootstrapSecrets {
 public:
  using Source = envoy::config::core::v3::ConfigSource;

  SecretManager(const Bootstrap& bootstrap, event::Loop& main, observability::StatsRegistry& stats,
                observability::StatsCells& cells, observability::Logger& logger);
  ~SecretManager() override;

  config::SecretSlotPtr watched(Secret secret, const config::Context& context) override;
  void add(std::shared_ptr<config::SecretUser> user, std::vector<config::SecretSlotPtr> slots) override;
  std::function<void()> userEnded() override;
  std::shared_ptr<tls::TicketKeyRing> ticketKeys() const override { return ticket_keys_; }

  // --- for the xDS client ---
  std::function<void(const std::string& name, const Source& source)> on_wanted;
  std::function<void(const std::string& name)> on_unwanted;
  // A version from SDS. What is wrong goes to `context`; false then.
  bool set(const Secret& secret, const config::Context& context);
  // How long, from when its name is first wanted, a secret that there is not is waited for by what takes the place of
  // something that serves; 0: not at all.
  std::chrono::milliseconds patience{0};
  // No version came in time, or there is none: whoever waits goes on without, or gives it what is left of `patience`.
  void giveUp(const std::string& name);

  // When those of the bootstrap were read, and when the version of SDS that is in use came; nullopt: there is none.
  std::chrono::system_clock::time_point started() const { return started_; }
  std::optional<std::chrono::system_clock::time_point> updated(const std::string& name) const;
  // Calls `visit` with the facts of every context that is in use.
  void forEachContext(const std::function<void(const tls::ContextFacts&)>& visit) const;
  // Until the first certificate expires; nullopt: there is none.
  std::optional<int64_t> daysUntilFirstExpires(int64_t now) const;

 protected:
  config::SecretSlotPtr dynamic(const SdsSecretConfig& config, config::SecretKind kind,
                                const config::Context& context) override;

 private:
  struct Slot;
  struct User {
    std::shared_ptr<config::SecretUser> user;
    std::vector<config::SecretSlotPtr> slots;
  };
  struct Directory {
    std::unique_ptr<event::DirectoryWatch> watch;
    std::vector<std::weak_ptr<Slot>> slots;
  };

  std::shared_ptr<Slot> makeSlot(const std::string& name, config::SecretKind kind);
  bool take(Slot& slot, const config::Context& context);
  void watch(const std::shared_ptr<Slot>& slot, bool parents);
  void onDirectory(const std::string& path);
  void tellUsers(const Slot& slot);
  void sweepLater();
  void sweep();

  event::Loop& main_;
  observability::StatsRegistry& stats_;
  observability::StatsCells& cells_;
  observability::Logger& logger_;
  std::map<std::string, std::weak_ptr<Slot>> by_name_;  // of SDS
  std::map<std::string, Directory> directories_;
  std::vector<User> users_;
  std::shared_ptr<tls::TicketKeyRing> ticket_keys_ = std::make_shared<tls::TicketKeyRing>();
  const std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
  bool sweeping_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // transports may outlive the manager
};

}  // namespace sluice::server
