#include "source/server/on_demand_clusters.h"

#include <utility>

namespace sluice::server {

std::shared_ptr<const route::ClusterSource> OnDemandClusters::clusterSource(const Source& source,
                                                                            const config::Context& context) {
  const auto compiled = config::compileConfigSource(source, context);
  if (!compiled || !deps_.check(*compiled, context)) return nullptr;
  if (compiled->kind == config::ResourceSource::Kind::kAds && !ads_delta) {
    context.error(
        "the aggregated stream is not incremental, and clusters come on demand so only; write DELTA_GRPC there");
    return nullptr;
  }
  const std::string identity = keyOf(source, {}).source;
  Asked& asked = sources_[identity];
  if (auto known = asked.handle.lock()) return known;
  asked.source = source;
  return makeHandle(identity, asked);
}

// A later one has another number: what was asked for by the one before is answered to that.
std::shared_ptr<const route::ClusterSource> OnDemandClusters::makeHandle(const std::string& identity, Asked& asked) {
  const uint32_t id = asked.id = next_id_++;
  const std::weak_ptr<bool> alive = alive_;
  std::shared_ptr<const route::ClusterSource> made(
      new route::ClusterSource{id,
                               [this, alive, identity, id](const std::string& cluster, uint32_t worker) {
                                 if (!alive.expired()) demand(identity, id, cluster, worker);
                               }},
      [this, alive, &main = deps_.main, identity](const route::ClusterSource* source) {
        main.post([this, alive, identity, id = source->id] {
          if (!alive.expired()) release(identity, id);
        });
        delete source;
      });
  asked.handle = made;
  return made;
}

void OnDemandClusters::demand(const std::string& identity, uint32_t id, const std::string& cluster, uint32_t worker) {
  const auto asked = sources_.find(identity);
  // What the worker does not have is on its way.
  if (asked == sources_.end() || deps_.serves(cluster)) return deps_.tell(worker, id, cluster);
  Names& names = asked->second.names;
  if (const auto known = names.find(cluster); known != names.end()) {
    ++known->second.asked;
    // One that has come is warming.
    if (known->second.settled && !deps_.exists(cluster)) return deps_.tell(worker, id, cluster);
    known->second.waits.emplace(worker, id);
    return;
  }
  std::map<uint64_t, std::string>& missing = asked->second.missing;
  if (names.size() >= kMaxNames) {
    if (missing.empty()) return deps_.tell(worker, id, cluster);
    drop(identity, asked->second, names.find(missing.begin()->second));
  }
  Name& name = names[cluster];
  name.number = next_number_++;
  name.waits.emplace(worker, id);
  missing.emplace(name.number, cluster);
  if (!look_.armed()) look_.arm(kLook);
  on_wanted({identity, cluster}, asked->second.source);
}

// The newest handle may be another one by now.
void OnDemandClusters::release(const std::string& identity, uint32_t id) {
  const auto asked = sources_.find(identity);
  if (asked == sources_.end() || asked->second.id != id) return;
  Names& names = asked->second.names;
  while (!names.empty()) drop(identity, asked->second, names.begin());
  sources_.erase(asked);
}

// A source of all clusters answers itself whether the cluster stays.
void OnDemandClusters::drop(const std::string& identity, Asked& asked, Names::iterator name) {
  const std::string cluster = name->first;
  const bool goes = name->second.ours && identity != root_source;
  settle(cluster, name->second);
  asked.missing.erase(name->second.number);
  asked.names.erase(name);
  on_unwanted({identity, cluster});
  if (goes) deps_.remove(cluster);
}

OnDemandClusters::Name* OnDemandClusters::find(const ResourceKey& key) {
  const auto asked = sources_.find(key.source);
  if (asked == sources_.end()) return nullptr;
  const auto name = asked->second.names.find(key.name);
  return name == asked->second.names.end() ? nullptr : &name->second;
}

bool OnDemandClusters::take(const ResourceKey& key) {
  Name* const name = find(key);
  const bool ours = name != nullptr && name->ours;
  if (key.source != root_source && !ours && deps_.exists(key.name)) return false;
  for (auto& [identity, asked] : sources_) {
    const auto same = asked.names.find(key.name);
    if (same != asked.names.end()) same->second.ours = false;
  }
  if (name != nullptr) {
    name->ours = name->settled = true;
    sources_.at(key.source).missing.erase(name->number);
  }
  return true;
}

bool OnDemandClusters::gone(const ResourceKey& key) {
  Name* const name = find(key);
  if (name == nullptr) return key.source == root_source;
  const bool ours = std::exchange(name->ours, false) || key.source == root_source;
  sources_.at(key.source).missing.emplace(name->number, key.name);
  name->settled = true;
  if (ours) settle(key.name, *name);
  giveUp(key);
  return ours;
}

// One that another source has brought may be warming.
void OnDemandClusters::giveUp(const ResourceKey& key) {
  Name* const name = find(key);
  if (name == nullptr) return;
  name->settled = true;
  if (!deps_.exists(key.name)) settle(key.name, *name);
}

void OnDemandClusters::onServes(const std::string& cluster) {
  for (auto& [identity, asked] : sources_) {
    const auto name = asked.names.find(cluster);
    if (name != asked.names.end()) settle(cluster, name->second);
  }
}

// What is told stands behind what was given in the order of the workers' work.
void OnDemandClusters::settle(const std::string& cluster, Name& name) {
  for (const auto& [worker, id] : std::exchange(name.waits, {})) deps_.tell(worker, id, cluster);
}

void OnDemandClusters::look() {
  bool any = false;
  for (auto& [identity, asked] : sources_) {
    for (auto at = asked.names.begin(); at != asked.names.end();) {
      const auto name = at++;
      const std::optional<uint64_t> uses = deps_.uses(name->first);
      const std::optional<uint64_t> now = uses ? std::optional(*uses + name->second.asked) : std::nullopt;
      if (now && name->second.seen == now) {
        drop(identity, asked, name);
      } else {
        name->second.seen = now;
        any = true;
      }
    }
  }
  if (any) look_.arm(kLook);
}

}  // namespace sluice::server
