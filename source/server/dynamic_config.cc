#include "source/server/dynamic_config.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "source/config/loader.h"

namespace sluice::server {
namespace {

absl::StatusOr<envoy::service::discovery::v3::DiscoveryResponse> loadFile(const std::string& path) {
  config::ErrorList errors;
  config::Positions positions;
  envoy::service::discovery::v3::DiscoveryResponse response;
  config::Loader(errors, positions).loadFile(path, response);
  if (!errors.empty()) return errors.status();
  return response;
}

absl::StatusOr<envoy::service::discovery::v3::DiscoveryResponse> parseJson(std::string_view json) {
  config::ErrorList errors;
  config::Positions positions;
  envoy::service::discovery::v3::DiscoveryResponse response;
  config::Loader(errors, positions).loadText(json, config::Format::kJson, "answer", response);
  if (!errors.empty()) return errors.status();
  return response;
}

}  // namespace

DynamicConfig::DynamicConfig(Deps deps, envoy::config::core::v3::Node node, std::optional<config::GrpcSource> ads)
    : deps_(std::move(deps)),
      ads_(std::move(ads)),
      random_(deps_.seed),
      subscriptions_({.loop = deps_.loop,
                      .node = std::move(node),
                      .make_transport = deps_.make_transport,
                      .load_file = loadFile,
                      .random = [this] { return random_.next(); },
                      .log = [this](const std::string& line) { deps_.logger.warning("xds", line); },
                      .stored = deps_.stored,
                      .on_taken = deps_.on_taken,
                      .ask = deps_.ask,
                      .parse = parseJson}) {}

DynamicConfig::~DynamicConfig() {
  for (const auto& watcher : watchers_) watcher->letGo();  // what it holds is of the subscriptions, which go first
}

void DynamicConfig::add(DynamicType type) {
  config::InitTarget first_answer;
  if (type.root && deps_.boot != nullptr) {
    first_answer = deps_.boot->add(absl::StrCat(type.noun, " of the control plane"));
  }
  auto watcher = std::make_unique<DynamicWatcher>(
      std::move(type), deps_.options, deps_.logger,
      [this](std::string_view held_back) { return subscriptions_.pause(held_back); }, std::move(first_answer),
      deps_.on_change);
  subscriptions_.addType(watcher->type().wire, *watcher);
  watchers_.push_back(std::move(watcher));
}

const DynamicWatcher* DynamicConfig::find(std::string_view type_url) const {
  const auto found = std::find_if(watchers_.begin(), watchers_.end(),
                                  [&](const auto& watcher) { return watcher->type().wire.url == type_url; });
  return found == watchers_.end() ? nullptr : found->get();
}

void DynamicConfig::start() {
  if (started_) return;
  started_ = true;
  if (ads_) subscriptions_.startAds(toXds(*ads_));
  for (const auto& watcher : watchers_) {
    const DynamicType& type = watcher->type();
    if (type.root) subscribe(type.wire.url, toXds(*type.root), std::string(xds::kWildcard));
  }
  for (const auto& work : std::exchange(before_start_, {})) work();
}

void DynamicConfig::subscribe(std::string_view type_url, const xds::Source& source, const std::string& name) {
  if (!started_) {
    before_start_.push_back([this, type = std::string(type_url), source, name] { subscribe(type, source, name); });
    return;
  }
  const absl::Status status = subscriptions_.subscribe(type_url, source, name);
  if (!status.ok()) deps_.logger.error("xds", "cannot subscribe to '", name, "': ", std::string(status.message()));
}

void DynamicConfig::want(std::string_view type_url, const envoy::config::core::v3::ConfigSource& source,
                         const std::string& name) {
  countFailures();  // what was before is none of its
  config::ErrorList errors;
  // Checked when the resource that names it was compiled.
  std::optional<config::ResourceSource> compiled = config::compileConfigSource(source, config::Context(errors));
  if (!compiled) return deps_.logger.error("xds", "no source for '", name, "': ", errors.toString());
  const std::optional<config::ResourceSource>& self = find(type_url)->type().self;
  if (self && compiled->kind == config::ResourceSource::Kind::kSelf) {
    const std::chrono::milliseconds timeout = compiled->initial_fetch_timeout;
    compiled = self;
    compiled->initial_fetch_timeout = timeout;
  }
  subscribe(type_url, toXds(*compiled), name);
}

void DynamicConfig::unwant(std::string_view type_url, const std::string& identity, const std::string& name) {
  subscriptions_.unsubscribe(type_url, identity, name);
}

bool DynamicConfig::answered(std::string_view type_url) const {
  const DynamicWatcher* watcher = find(type_url);
  return watcher == nullptr || !watcher->type().root || watcher->answered();
}

// A stream that broke failed all that it carries.
void DynamicConfig::countFailures() {
  std::map<std::pair<std::string, std::string>, uint64_t> counted;
  subscriptions_.forEach([&](const xds::Subscriptions::View& view) {
    const DynamicType& type = find(view.type_url)->type();
    if (!type.discovery) return;
    std::pair<std::string, std::string> key(view.type_url, view.identity);
    const uint64_t now = view.stats.update_failure;
    const auto known = failures_.find(key);
    const uint64_t before = known == failures_.end() || known->second > now ? 0 : known->second;
    if (now != before) {
      type.discovery(view.identity, {}, [times = now - before](DiscoveryStats& stats) { stats.failed(times); });
    }
    counted.emplace(std::move(key), now);
  });
  failures_ = std::move(counted);
}

void DynamicConfig::refreshStats() {
  countFailures();
  std::map<std::string, uint64_t> counts;  // of all sources that have a prefix
  subscriptions_.forEach([&](const xds::Subscriptions::View& view) {
    if (view.stream != nullptr && view.source == "ads") {
      deps_.cells.set(deps_.stats.gauge("control_plane.connected_state"),
                      view.stream->connected ? 1 + view.stream->server : 0);
    }
    const DynamicType& type = find(view.type_url)->type();
    const bool of_root = type.root && xds::identity(toXds(*type.root)) == view.identity;
    const std::string& prefix = of_root || type.named_stat_prefix.empty() ? type.stat_prefix : type.named_stat_prefix;
    if (prefix.empty()) return;
    const auto add = [&](const char* name, uint64_t value) { counts[absl::StrCat(prefix, name)] += value; };
    add("update_attempt", view.stats.update_attempt);
    add("update_success", view.stats.update_success);
    add("update_failure", view.stats.update_failure);
    add("update_rejected", view.stats.update_rejected);
    add("init_fetch_timeout", view.stats.init_fetch_timeout);
    add("config_reload", view.stats.config_reload);
  });
  for (const auto& [name, value] : counts) deps_.cells.set(deps_.stats.counter(name), value);
}

}  // namespace sluice::server
