#include "source/server/secret_manager.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "source/config/bootstrap.h"
#include "source/config/config_source.h"
#include "source/config/tls_compiler.h"
#include "source/server/init_manager.h"

namespace sluice::server {

using config::Context;
using config::SecretKind;
using config::SecretSlotPtr;

// --- as far as a bootstrap tells -------------------------------------------------------------------------------------

void BootstrapSecrets::load(const Context& context) {
  for (int i = 0; i < bootstrap_.static_resources().secrets_size(); ++i) {
    const Secret& secret = bootstrap_.static_resources().secrets(i);
    const Context at = context.child("secrets", static_cast<size_t>(i));
    const std::optional<SecretKind> kind = config::kindOf(secret);
    if (secret.name().empty()) at.child("name").error("nobody can refer to a secret without a name");
    if (!kind) {
      at.error("is empty; give it a tls_certificate, a validation_context, session_ticket_keys or a generic_secret");
      continue;
    }
    if (static_.contains(secret.name())) {
      at.child("name").error(absl::StrCat("\"", secret.name(), "\" is the name of another secret, too"));
      continue;
    }
    config::SecretVersion version{secret, std::make_shared<config::FileContents>()};
    if (!config::checkSecret(version, *kind, at)) continue;
    const bool changes =
        secret.tls_certificate().has_watched_directory() || secret.validation_context().has_watched_directory();
    static_[secret.name()] = {*kind, changes ? watched(secret, at) : config::fixedSlot(std::move(version))};
  }
}

SecretSlotPtr BootstrapSecrets::named(const SdsSecretConfig& config, SecretKind kind, const Context& context) {
  if (config.has_sds_config()) {
    const Context at = context.child("sds_config");
    const auto source = config::compileConfigSource(config.sds_config(), at);
    if (!source || !config::checkSource(*source, bootstrap_, at)) return nullptr;
    return dynamic(config, kind, context);
  }
  const auto known = static_.find(config.name());
  if (known == static_.end()) {
    for (const Secret& secret : bootstrap_.static_resources().secrets()) {
      if (secret.name() == config.name()) return nullptr;  // it was reported itself
    }
    context.child("name").error(
        absl::StrCat("no secret \"", config.name(),
                     "\" in static_resources.secrets; add it there, or say in sds_config where it is"));
    return nullptr;
  }
  if (known->second.first == kind) return known->second.second;
  context.child("name").error(absl::StrCat("secret \"", config.name(), "\" is a ",
                                           std::string(config::nameOf(known->second.first)), ", not a ",
                                           std::string(config::nameOf(kind))));
  return nullptr;
}

SecretSlotPtr BootstrapSecrets::watched(Secret secret, const Context&) {
  return config::fixedSlot({std::move(secret), std::make_shared<config::FileContents>()});
}

SecretSlotPtr BootstrapSecrets::dynamic(const SdsSecretConfig& config, SecretKind, const Context&) {
  return config::emptySlot(config.name());
}

// --- what serves -----------------------------------------------------------------------------------------------------

struct SecretManager::Slot : config::SecretSlot {
  const std::string& name() const override { return title; }
  std::shared_ptr<const config::SecretVersion> current() const override { return version; }
  bool settled() const override { return version != nullptr || given_up; }
  std::chrono::milliseconds grace() const override {
    return manager != nullptr ? timeUntil(manager->main_, wanted + manager->patience) : std::chrono::milliseconds(0);
  }

  const SecretManager* manager = nullptr;  // of SDS
  event::TimePoint wanted;                 // from when
  std::string title;
  SecretKind kind;
  std::string source;  // of SDS, serialised
  Secret newest;       // as it came; not in use if it was refused
  std::shared_ptr<const config::SecretVersion> version;
  std::chrono::system_clock::time_point updated;  // of `version`
  bool given_up = false;
  std::vector<std::string> directories;
  observability::Scope scope;
  observability::Counter update_success, update_rejected, rotation_failed, fetch_timeout;
};

SecretManager::SecretManager(const Bootstrap& bootstrap, event::Loop& main, observability::StatsRegistry& stats,
                             observability::StatsCells& cells, observability::Logger& logger)
    : BootstrapSecrets(bootstrap), main_(main), stats_(stats), cells_(cells), logger_(logger) {}

SecretManager::~SecretManager() = default;

std::shared_ptr<SecretManager::Slot> SecretManager::makeSlot(const std::string& name, SecretKind kind) {
  auto slot = std::make_shared<Slot>();
  slot->title = name;
  slot->kind = kind;
  slot->scope = stats_.scope("sds", name);
  slot->update_success = slot->scope.counter("update_success");
  slot->update_rejected = slot->scope.counter("update_rejected");
  slot->rotation_failed = slot->scope.counter("key_rotation_failed");
  slot->fetch_timeout = slot->scope.counter("init_fetch_timeout");
  return slot;
}

SecretSlotPtr SecretManager::dynamic(const SdsSecretConfig& config, SecretKind kind, const Context& context) {
  const std::string source = config.sds_config().SerializeAsString();
  if (const auto known = by_name_.find(config.name()); known != by_name_.end()) {
    if (const std::shared_ptr<Slot> slot = known->second.lock()) {
      if (slot->kind != kind) {
        context.child("name").error(absl::StrCat("secret \"", config.name(), "\" is used as a ",
                                                 std::string(config::nameOf(slot->kind)), " elsewhere"));
        return nullptr;
      }
      if (slot->source != source) {
        context.child("sds_config")
            .error(absl::StrCat("secret \"", config.name(),
                                "\" comes from another source elsewhere; give the two different names"));
        return nullptr;
      }
      return slot;
    }
  }
  const std::shared_ptr<Slot> slot = makeSlot(config.name(), kind);
  slot->source = source;
  slot->manager = this;
  slot->wanted = main_.now();
  by_name_[config.name()] = slot;
  sweepLater();  // if what it is for is refused
  if (on_wanted) on_wanted(config.name(), config.sds_config());
  return slot;
}

SecretSlotPtr SecretManager::watched(Secret secret, const Context& context) {
  const std::optional<SecretKind> kind = config::kindOf(secret);
  std::string name = secret.name();
  if (name.empty()) name = secret.tls_certificate().certificate_chain().filename();
  if (name.empty()) name = secret.validation_context().trusted_ca().filename();
  const std::shared_ptr<Slot> slot = makeSlot(name, *kind);
  slot->newest = std::move(secret);
  watch(slot, false);
  return take(*slot, context) ? slot : nullptr;
}

void SecretManager::add(std::shared_ptr<config::SecretUser> user, std::vector<SecretSlotPtr> slots) {
  const bool waits = std::any_of(slots.begin(), slots.end(), [](const auto& slot) { return !slot->current(); });
  if (waits) user->secretGivenUp();  // if all of them have been given up already
  users_.push_back({std::move(user), std::move(slots)});
}

std::function<void()> SecretManager::userEnded() {
  return [this, alive = std::weak_ptr<bool>(alive_), &main = main_] {
    main.post([this, alive] {
      if (!alive.expired()) sweep();
    });
  };
}

bool SecretManager::set(const Secret& secret, const Context& context) {
  const auto known = by_name_.find(secret.name());
  const std::shared_ptr<Slot> slot = known == by_name_.end() ? nullptr : known->second.lock();
  if (!slot) return true;  // nobody wants it any more
  slot->newest = secret;
  watch(slot, true);
  if (take(*slot, context)) return true;
  cells_.add(slot->update_rejected);
  return false;
}

// Reads and checks the newest form of a secret; puts it into the slot if it is good.
bool SecretManager::take(Slot& slot, const Context& context) {
  auto version = std::make_shared<config::SecretVersion>();
  version->secret = slot.newest;
  version->files = std::make_shared<config::FileContents>();
  if (!config::checkSecret(*version, slot.kind, context)) return false;
  // Read once more: files that are being replaced one after the other may have come from two generations.
  if (!config::FileContents().sameAs(*version->files)) {
    context.error("the files changed while they were read");
    return false;
  }
  slot.version = std::move(version);
  slot.updated = std::chrono::system_clock::now();
  slot.given_up = false;
  cells_.add(slot.update_success);
  tellUsers(slot);
  return true;
}

void SecretManager::tellUsers(const Slot& slot) {
  const std::vector<User> users = users_;
  for (const User& user : users) {
    const bool concerned = std::any_of(user.slots.begin(), user.slots.end(),
                                       [&slot](const SecretSlotPtr& used) { return used.get() == &slot; });
    if (!concerned || !user.user->alive()) continue;
    const absl::Status status = user.user->secretChanged();
    if (status.ok()) continue;
    cells_.add(slot.rotation_failed);
    logger_.error("tls", user.user->owner(), ": secret '", slot.title,
                  "' cannot be used: ", std::string(status.message()), "; the last good one goes on serving");
  }
}

void SecretManager::giveUp(const std::string& name) {
  const auto known = by_name_.find(name);
  const std::shared_ptr<Slot> slot = known == by_name_.end() ? nullptr : known->second.lock();
  if (!slot || slot->settled()) return;
  slot->given_up = true;
  cells_.add(slot->fetch_timeout);
  const std::vector<User> users = users_;  // what waited for it may take over meanwhile
  for (const User& user : users) {
    if (std::find(user.slots.begin(), user.slots.end(), slot) != user.slots.end()) user.user->secretGivenUp();
  }
}

// --- files -----------------------------------------------------------------------------------------------------------

namespace {

std::string parentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::vector<std::string> directoriesOf(const config::Secrets::Secret& secret, bool parents) {
  std::vector<std::string> out;
  const auto add = [&out](const std::string& path) {
    if (!path.empty() && std::find(out.begin(), out.end(), path) == out.end()) out.push_back(path);
  };
  const auto addParent = [&](const envoy::config::core::v3::DataSource& source) {
    if (!source.filename().empty()) add(parentOf(source.filename()));
  };
  const auto& certificate = secret.tls_certificate();
  const auto& validation = secret.validation_context();
  add(certificate.watched_directory().path());
  add(validation.watched_directory().path());
  if (!parents || !out.empty()) return out;
  addParent(certificate.certificate_chain());
  addParent(certificate.private_key());
  addParent(validation.trusted_ca());
  addParent(validation.crl());
  for (const auto& bundle : config::trustBundlesOf(validation)) addParent(bundle);
  return out;
}

}  // namespace

void SecretManager::watch(const std::shared_ptr<Slot>& slot, bool parents) {
  slot->directories = directoriesOf(slot->newest, parents);
  for (const std::string& path : slot->directories) {
    Directory& directory = directories_[path];
    if (!directory.watch) {
      auto watch = event::DirectoryWatch::start(path, main_, [this, path] { onDirectory(path); });
      if (!watch.ok()) {
        logger_.error("tls", "secret '", slot->title, "': cannot watch ", path, ": ",
                      std::string(watch.status().message()), "; changes of its files will not be noticed");
        directories_.erase(path);
        continue;
      }
      directory.watch = *std::move(watch);
    }
    const bool known = std::any_of(directory.slots.begin(), directory.slots.end(),
                                   [&slot](const auto& other) { return other.lock() == slot; });
    if (!known) directory.slots.push_back(slot);
  }
}

void SecretManager::onDirectory(const std::string& path) {
  const auto found = directories_.find(path);
  if (found == directories_.end()) return;
  const std::vector<std::weak_ptr<Slot>> slots = found->second.slots;
  for (const std::weak_ptr<Slot>& weak : slots) {
    const std::shared_ptr<Slot> slot = weak.lock();
    if (!slot || std::find(slot->directories.begin(), slot->directories.end(), path) == slot->directories.end()) {
      continue;
    }
    if (slot->version && config::FileContents().sameAs(*slot->version->files)) continue;
    config::ErrorList errors;
    if (take(*slot, Context(errors))) {
      logger_.info("tls", "secret '", slot->title, "' was read again");
      continue;
    }
    cells_.add(slot->rotation_failed);
    logger_.error("tls", "secret '", slot->title, "' cannot be used as it is now: ", errors.toString(),
                  slot->version ? "; the last good one goes on serving" : "");
  }
}

// --- letting go ------------------------------------------------------------------------------------------------------

void SecretManager::sweepLater() {
  if (std::exchange(sweeping_, true)) return;
  main_.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) sweep();
  });
}

void SecretManager::sweep() {
  sweeping_ = false;
  std::erase_if(users_, [](const User& user) { return !user.user->alive(); });
  for (auto at = by_name_.begin(); at != by_name_.end();) {
    if (!at->second.expired()) {
      ++at;
      continue;
    }
    const std::string name = at->first;
    at = by_name_.erase(at);
    if (on_unwanted) on_unwanted(name);
  }
  for (auto at = directories_.begin(); at != directories_.end();) {
    std::erase_if(at->second.slots, [](const auto& slot) { return slot.expired(); });
    at = at->second.slots.empty() ? directories_.erase(at) : std::next(at);
  }
}

// --- views -----------------------------------------------------------------------------------------------------------

std::optional<std::chrono::system_clock::time_point> SecretManager::updated(const std::string& name) const {
  const auto known = by_name_.find(name);
  const std::shared_ptr<Slot> slot = known == by_name_.end() ? nullptr : known->second.lock();
  if (slot == nullptr || slot->version == nullptr) return std::nullopt;
  return slot->updated;
}

void SecretManager::forEachContext(const std::function<void(const tls::ContextFacts&)>& visit) const {
  for (const User& user : users_) {
    if (const tls::ContextFacts* facts = user.user->facts(); facts != nullptr && user.user->alive()) visit(*facts);
  }
}

std::optional<int64_t> SecretManager::daysUntilFirstExpires(int64_t now) const {
  std::optional<int64_t> first;
  forEachContext([&](const tls::ContextFacts& facts) {
    for (const auto* list : {&facts.certificates, &facts.authorities}) {
      for (const tls::CertificateFacts& certificate : *list) {
        const int64_t days = certificate.daysUntilExpiration(now);
        if (!first || days < *first) first = days;
      }
    }
  });
  return first;
}

}  // namespace sluice::server
