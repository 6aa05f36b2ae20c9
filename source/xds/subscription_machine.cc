#include "source/xds/subscription_machine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/xds/nack_text.h"
#include "source/xds/resource_type.h"

namespace sluice::xds {
namespace {

bool sameBody(const google::protobuf::Any* a, const google::protobuf::Any* b) {
  return a != nullptr && b != nullptr && a->value() == b->value();
}

// The errors of each name, joined.
std::map<std::string_view, std::string> byName(const std::vector<ResourceError>& errors) {
  std::map<std::string_view, std::string> texts;
  for (const ResourceError& error : errors) {
    std::string& text = texts[error.name];
    if (text.size() > kMaxNackText) continue;
    absl::StrAppend(&text, text.empty() ? "" : "; ", errorText(error));
  }
  return texts;
}

}  // namespace

SubscriptionMachine::SubscriptionMachine(Options options, ResourceWatcher& watcher)
    : options_(std::move(options)), full_set_(isFullSetType(options_.type_url)), watcher_(watcher) {}

// --- interest

void SubscriptionMachine::subscribe(std::string_view name, TimePoint now,
                                    std::optional<std::chrono::milliseconds> fetch_timeout) {
  if (wants(name)) return;
  const std::chrono::milliseconds timeout = fetch_timeout.value_or(options_.initial_fetch_timeout);
  const auto deadline = timeout.count() > 0 ? std::optional(now + timeout) : std::nullopt;
  if (name == kWildcard) {
    wildcard_ = true;
    setFetchDeadline(name, wildcard_deadline_, deadline);
  } else {
    Entry& entry = entries_[std::string(name)];
    entry.subscribed = true;
    if (entry.body == nullptr) {
      setState(entry, VerdictState::kRequested, now);
      setFetchDeadline(name, entry.fetch_deadline, deadline);
    }
  }
  markSubscribed(name);
}

void SubscriptionMachine::unsubscribe(std::string_view name) {
  if (!wants(name)) return;
  if (name == kWildcard) {
    wildcard_ = false;
    setFetchDeadline(name, wildcard_deadline_, std::nullopt);
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const auto current = entry++;
      if (!current->second.subscribed) erase(current);
    }
  } else {
    const auto entry = entries_.find(name);
    entry->second.subscribed = false;
    setFetchDeadline(name, entry->second.fetch_deadline, std::nullopt);
    // With a wildcard the resource may be ours by that too: the server's answer decides.
    if (!wildcard_ || entry->second.body == nullptr) erase(entry);
  }
  markUnsubscribed(name);
}

void SubscriptionMachine::setInterest(const std::vector<std::string>& names, TimePoint now) {
  const std::set<std::string_view> wanted(names.begin(), names.end());
  std::vector<std::string> unwanted;
  for (const auto& [name, entry] : entries_) {
    if (entry.subscribed && !wanted.contains(name)) unwanted.push_back(name);
  }
  if (wildcard_ && !wanted.contains(kWildcard)) unwanted.emplace_back(kWildcard);
  for (const std::string& name : unwanted) unsubscribe(name);
  for (const std::string_view name : wanted) subscribe(name, now);
}

bool SubscriptionMachine::wants(std::string_view name) const {
  if (name == kWildcard) return wildcard_;
  const auto entry = entries_.find(name);
  return entry != entries_.end() && entry->second.subscribed;
}

bool SubscriptionMachine::wantsAny() const {
  return wildcard_ ||
         std::any_of(entries_.begin(), entries_.end(), [](const auto& item) { return item.second.subscribed; });
}

void SubscriptionMachine::markSubscribed(std::string_view name) {
  interest_changed_ = true;
  // Out even if the server thinks that it was never taken back: it has to answer.
  to_unsubscribe_.erase(std::string(name));
  to_subscribe_.emplace(name);
}

void SubscriptionMachine::markUnsubscribed(std::string_view name) {
  interest_changed_ = true;
  to_subscribe_.erase(std::string(name));
  if (on_wire_.contains(name) || (name == kWildcard && legacy_wildcard_)) to_unsubscribe_.emplace(name);
}

// --- stream

void SubscriptionMachine::onStreamStart(TimePoint now, bool same_server) {
  onStreamEnd();
  stream_up_ = true;
  same_server_ = same_server;
  forgetRejections(now);
}

// A server that still has what was refused sends it again, as no request says that it is held. One that took it back
// meanwhile has nothing to say.
void SubscriptionMachine::forgetRejections(TimePoint now) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto current = entry++;
    if (current->second.state != VerdictState::kRejected) continue;
    if (current->second.body != nullptr) {
      setState(current->second, VerdictState::kAccepted, now);
    } else if (current->second.subscribed) {
      setState(current->second, VerdictState::kRequested, now);
    } else {
      erase(current);
    }
  }
}

void SubscriptionMachine::onStreamEnd() {
  stream_up_ = false;
  requested_ = named_ = legacy_wildcard_ = false;
  nonce_.clear();
  acks_.clear();
  on_wire_.clear();
  to_subscribe_.clear();
  to_unsubscribe_.clear();
}

bool SubscriptionMachine::interestDue() const {
  if (!stream_up_ || paused_ > 0) return false;
  if (!requested_) return wantsAny();  // an empty first request would mean "everything"
  if (delta()) return !to_subscribe_.empty() || !to_unsubscribe_.empty();
  // State-of-the-world has no words for leaving a legacy wildcard but naming something.
  return interest_changed_ && (named_ || wantsAny());
}

Request SubscriptionMachine::takeInterest() {
  Request request;
  request.type_url = options_.type_url;
  if (!delta()) {
    request.version = version_;
    request.response_nonce = nonce_;
    fillSotwNames(request);
  } else if (!requested_) {
    fillFirstDelta(request);
  } else {
    fillDeltaChange(request);
  }
  requested_ = true;
  return request;
}

Request SubscriptionMachine::takeAck() {
  Ack ack = std::move(acks_.front());
  acks_.pop_front();
  Request request;
  request.type_url = options_.type_url;
  request.response_nonce = std::move(ack.nonce);
  request.error = std::move(ack.error);
  if (delta()) {
    if (paused_ == 0) fillDeltaChange(request);
  } else {
    request.version = std::move(ack.version);
    fillSotwNames(request);
  }
  return request;
}

void SubscriptionMachine::fillSotwNames(Request& request) {
  for (const auto& [name, entry] : entries_) {
    if (entry.subscribed) request.names.push_back(name);
  }
  // "*" alone goes out in the old form, the empty list, which every server knows, for as long as that has its meaning.
  if (wildcard_ && (named_ || !request.names.empty())) request.names.emplace(request.names.begin(), kWildcard);
  named_ = named_ || !request.names.empty();
  legacy_wildcard_ = !named_;
  interest_changed_ = false;
}

void SubscriptionMachine::fillFirstDelta(Request& request) {
  for (const auto& [name, entry] : entries_) {
    if (entry.subscribed) request.subscribe.push_back(name);
    if (entry.body != nullptr && same_server_) request.initial_versions.emplace(name, entry.version);
  }
  legacy_wildcard_ = request.subscribe.empty();
  if (wildcard_ && !legacy_wildcard_) request.subscribe.emplace(request.subscribe.begin(), kWildcard);
  on_wire_ = {request.subscribe.begin(), request.subscribe.end()};
  to_subscribe_.clear();
  to_unsubscribe_.clear();
}

void SubscriptionMachine::fillDeltaChange(Request& request) {
  request.subscribe.assign(to_subscribe_.begin(), to_subscribe_.end());
  request.unsubscribe.assign(to_unsubscribe_.begin(), to_unsubscribe_.end());
  for (const std::string& name : to_unsubscribe_) {
    on_wire_.erase(name);
    if (name == kWildcard) legacy_wildcard_ = false;
  }
  on_wire_.merge(to_subscribe_);
  to_subscribe_.clear();
  to_unsubscribe_.clear();
}

// --- responses: sorting out

const std::string& SubscriptionMachine::versionOf(const Resource& resource, const Response& response) const {
  return resource.version.empty() && !delta() ? response.version : resource.version;
}

bool SubscriptionMachine::isHeartbeat(const Resource& resource, const Response& response) const {
  if (resource.body != nullptr) return false;
  const auto entry = entries_.find(resource.name);
  if (entry == entries_.end() || entry->second.body == nullptr) return false;
  if (resource.version == entry->second.version) return true;
  // State-of-the-world servers leave the version out, or give the response's.
  return !delta() && (resource.version.empty() || resource.version == response.version);
}

std::string SubscriptionMachine::nameOf(const Resource& resource, size_t index, Plan& plan) const {
  const std::string where = absl::StrCat("resources[", index, "]");
  if (!resource.name.empty() && !hasNameInBody(options_.type_url)) return resource.name;
  absl::StatusOr<std::string> name = nameInBody(resource.body->value());
  if (!name.ok()) {
    plan.unnamed = plan.unnamed || resource.name.empty();
    plan.refuse(resource.name.empty() ? where : resource.name, "", std::string(name.status().message()));
    return {};
  }
  if (!resource.name.empty() && resource.name != *name) {
    plan.refuse(resource.name, "name", absl::StrCat("is \"", *name, "\" inside; both names must be the same"));
    return {};
  }
  return *std::move(name);
}

SubscriptionMachine::Plan SubscriptionMachine::makePlan(const Response& response) const {
  Plan plan;
  plan.update.type_url = options_.type_url;
  plan.update.version = response.version;
  for (size_t i = 0; i < response.resources.size(); ++i) {
    const Resource& resource = response.resources[i];
    if (resource.body != nullptr && typeName(resource.body->type_url()) != typeName(options_.type_url)) {
      plan.refused = true;
      plan.refuse(resource.name.empty() ? absl::StrCat("resources[", i, "]") : resource.name, "",
                  absl::StrCat("its type is ", std::string(typeName(resource.body->type_url())),
                               "; a response holds one type"));
      continue;
    }
    if (resource.body == nullptr) {
      sortResource(resource, resource.name, response, plan);
    } else if (std::string name = nameOf(resource, i, plan); !name.empty()) {
      sortResource(resource, std::move(name), response, plan);
    } else {
      plan.present.insert(resource.name);
    }
  }
  dropContradictions(response, plan);
  plan.only_heartbeats = !response.resources.empty() && plan.heartbeats.size() == response.resources.size();
  if (!plan.refused) findRemoved(response, plan);
  return plan;
}

void SubscriptionMachine::sortResource(const Resource& resource, std::string name, const Response& response,
                                       Plan& plan) const {
  if (!plan.present.insert(name).second) {
    if (!plan.bad.contains(name)) plan.refuse(std::move(name), "", "stands in one response twice; send it once");
    return;
  }
  const auto entry = entries_.find(name);
  if (!wildcard_ && (entry == entries_.end() || !entry->second.subscribed)) return;  // nobody asked for it
  if (isHeartbeat(resource, response)) {
    plan.heartbeats.emplace_back(std::move(name), &resource);
  } else if (resource.body == nullptr) {
    if (!resource.aliases.empty()) return;  // "this alias has nothing": for types that have aliases
    plan.refuse(std::move(name), "resource", "is missing, and no such version is held");
  } else if (entry != entries_.end() && sameBody(entry->second.body.get(), resource.body.get())) {
    plan.unchanged.emplace_back(std::move(name), &resource);
  } else {
    plan.update.changed.push_back({std::move(name), versionOf(resource, response), resource.body});
    plan.sources.push_back(&resource);
  }
}

// A name that was refused for standing twice, or for being sent and removed at once, is taken in neither form.
void SubscriptionMachine::dropContradictions(const Response& response, Plan& plan) const {
  for (const std::string& name : response.removed) {
    if (plan.present.contains(name) && !plan.bad.contains(name)) {
      plan.refuse(name, "", "stands in resources and in removed_resources; send it in one of them");
    }
  }
  if (plan.bad.empty()) return;
  size_t kept = 0;
  for (size_t i = 0; i < plan.update.changed.size(); ++i) {
    if (plan.bad.contains(plan.update.changed[i].name)) continue;
    if (kept != i) {
      plan.update.changed[kept] = std::move(plan.update.changed[i]);
      plan.sources[kept] = plan.sources[i];
    }
    ++kept;
  }
  plan.update.changed.resize(kept);
  plan.sources.resize(kept);
  std::erase_if(plan.unchanged, [&](const auto& item) { return plan.bad.contains(item.first); });
}

void SubscriptionMachine::findRemoved(const Response& response, Plan& plan) const {
  if (delta()) {
    const std::set<std::string_view> once(response.removed.begin(), response.removed.end());
    for (const std::string_view name : once) {
      if (entries_.contains(name) && !plan.present.contains(name)) plan.update.removed.emplace_back(name);
    }
    return;
  }
  // A resource that nobody can name may be any of those held: then nothing is missing for sure.
  if (!full_set_ || plan.unnamed || plan.only_heartbeats) return;
  for (const auto& [name, entry] : entries_) {
    if (plan.present.contains(name)) continue;
    const bool new_to_us = entry.subscribed && entry.state != VerdictState::kDoesNotExist;
    if (entry.body != nullptr || new_to_us) plan.update.removed.push_back(name);
  }
}

// --- responses: taking them in

bool SubscriptionMachine::onResponse(const Response& response, TimePoint now) {
  if (!stream_up_ || !requested_) return false;
  nonce_ = response.nonce;
  const Plan plan = makePlan(response);
  std::vector<ResourceError> errors = plan.update.rejected;
  if (!plan.refused && !plan.only_heartbeats) {
    std::vector<ResourceError> found = watcher_.onUpdate(plan.update);
    std::move(found.begin(), found.end(), std::back_inserter(errors));
  }
  if (!plan.refused) apply(response, plan, errors, now);
  queueAck(response, errors);
  if (errors.empty()) {
    ++stats_.update_success;
    stats_.update_time = now;
    stats_.version_text = response.version;
  } else {
    ++stats_.update_rejected;
  }
  return true;
}

void SubscriptionMachine::apply(const Response& response, const Plan& plan, const std::vector<ResourceError>& errors,
                                TimePoint now) {
  setFetchDeadline(kWildcard, wildcard_deadline_, std::nullopt);
  for (const auto& [name, resource] : plan.heartbeats) {
    if (const auto entry = entries_.find(name); entry != entries_.end()) {
      setExpiry(name, entry->second, *resource, now);
    }
  }
  const std::map<std::string_view, std::string> bad = byName(errors);
  const bool refused = bad.contains("");
  bool changed = !refused && !plan.update.removed.empty();
  if (!refused) {
    for (const std::string& name : plan.update.removed) remove(name, now);
    for (const auto& [name, resource] : plan.unchanged) {
      const auto entry = entries_.find(name);
      if (entry == entries_.end()) continue;  // the watcher lost interest meanwhile
      // Delta names what is held by version; a state-of-the-world version is the one that brought the change.
      const std::string version = delta() ? resource->version : entry->second.version;
      accept(name, {name, version, entry->second.body}, *resource, now);
    }
    if (!delta()) forgetMissing(plan);
  }
  for (size_t i = 0; i < plan.update.changed.size(); ++i) {
    const UpdatedResource& resource = plan.update.changed[i];
    if (const auto error = bad.find(refused ? "" : resource.name); error != bad.end()) {
      reject(resource.name, resource.version, error->second, now);
    } else {
      accept(resource.name, resource, *plan.sources[i], now);
      changed = true;
    }
  }
  for (const std::string& name : plan.bad) reject(name, response.version, bad.at(name), now);
  if (changed) ++stats_.config_reload;
}

void SubscriptionMachine::accept(std::string_view name, const UpdatedResource& resource, const Resource& source,
                                 TimePoint now) {
  auto found = entries_.find(name);
  if (found == entries_.end()) {
    if (!wildcard_) return;  // the watcher lost interest while it took the update
    found = entries_.emplace(name, Entry{}).first;
  }
  Entry& entry = found->second;
  if (entry.version != resource.version) entry.since = now;
  entry.body = resource.body;
  entry.version = resource.version;
  setState(entry, VerdictState::kAccepted, now);
  setFetchDeadline(name, entry.fetch_deadline, std::nullopt);
  setExpiry(found->first, entry, source, now);
}

void SubscriptionMachine::reject(std::string_view name, std::string_view version, std::string_view error,
                                 TimePoint now) {
  auto found = entries_.find(name);
  if (found == entries_.end()) {
    if (!wildcard_ || name.starts_with("resources[")) return;  // the latter is a place, not a name
    found = entries_.emplace(name, Entry{}).first;
  }
  Entry& entry = found->second;
  setState(entry, VerdictState::kRejected, now);
  entry.rejected_version = version;
  entry.error = validUtf8(error, kMaxNackText);
  setFetchDeadline(name, entry.fetch_deadline, std::nullopt);
}

void SubscriptionMachine::remove(std::string_view name, TimePoint now) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (!entry.subscribed) return erase(found);
  clearExpiry(found->first, entry);
  setFetchDeadline(name, entry.fetch_deadline, std::nullopt);
  entry.body.reset();
  entry.version.clear();
  setState(entry, VerdictState::kDoesNotExist, now);
}

// Refused resources that were never accepted leave with the response that no longer has them.
void SubscriptionMachine::forgetMissing(const Plan& plan) {
  if (!full_set_ || plan.unnamed || plan.only_heartbeats) return;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto current = entry++;
    const bool kept = current->second.subscribed || current->second.body != nullptr;
    if (!kept && !plan.present.contains(current->first)) erase(current);
  }
}

void SubscriptionMachine::Plan::refuse(std::string name, std::string field_path, std::string rule) {
  bad.insert(name);
  update.rejected.push_back({std::move(name), std::move(field_path), std::move(rule)});
}

void SubscriptionMachine::queueAck(const Response& response, const std::vector<ResourceError>& errors) {
  Ack ack;
  ack.nonce = response.nonce;
  if (errors.empty()) {
    version_ = response.version;
  } else {
    ack.error = ErrorDetail{.message = nackText(options_.type_url, errors)};
  }
  ack.version = version_;
  acks_.push_back(std::move(ack));
}

// --- time

void SubscriptionMachine::setFetchDeadline(std::string_view name, std::optional<TimePoint>& slot,
                                           std::optional<TimePoint> deadline) {
  if (slot) fetch_deadlines_.erase({*slot, std::string(name)});
  slot = deadline;
  if (slot) fetch_deadlines_.emplace(*slot, name);
}

void SubscriptionMachine::setExpiry(const std::string& name, Entry& entry, const Resource& source, TimePoint now) {
  clearExpiry(name, entry);
  if (!source.ttl) return;
  entry.expiry = now + *source.ttl;
  expiries_.emplace(*entry.expiry, name);
}

void SubscriptionMachine::clearExpiry(const std::string& name, Entry& entry) {
  if (!entry.expiry) return;
  expiries_.erase({*entry.expiry, name});
  entry.expiry.reset();
}

void SubscriptionMachine::setState(Entry& entry, VerdictState state, TimePoint now) {
  if (entry.state != state || entry.since == TimePoint()) entry.since = now;
  entry.state = state;
  entry.rejected_version.clear();
  entry.error.clear();
}

void SubscriptionMachine::erase(Entries::iterator entry) {
  clearExpiry(entry->first, entry->second);
  setFetchDeadline(entry->first, entry->second.fetch_deadline, std::nullopt);
  entries_.erase(entry);
}

std::optional<TimePoint> SubscriptionMachine::nextDeadline() const {
  std::optional<TimePoint> next;
  if (!fetch_deadlines_.empty()) next = fetch_deadlines_.begin()->first;
  if (!expiries_.empty() && (!next || expiries_.begin()->first < *next)) next = expiries_.begin()->first;
  return next;
}

void SubscriptionMachine::onTime(TimePoint now) {
  expire(now);
  endWaits(now);
}

// A resource whose TTL is over is removed, never rolled back.
void SubscriptionMachine::expire(TimePoint now) {
  Update update;
  update.type_url = options_.type_url;
  update.version = version_;
  while (!expiries_.empty() && expiries_.begin()->first <= now) {
    std::string name = expiries_.begin()->second;
    remove(name, now);
    update.removed.push_back(std::move(name));
  }
  if (!update.removed.empty()) watcher_.onUpdate(update);
}

void SubscriptionMachine::endWaits(TimePoint now) {
  std::vector<std::string> timed_out;
  while (!fetch_deadlines_.empty() && fetch_deadlines_.begin()->first <= now) {
    std::string name = fetch_deadlines_.begin()->second;
    if (name == kWildcard) {
      setFetchDeadline(name, wildcard_deadline_, std::nullopt);
    } else {
      Entry& entry = entries_.find(name)->second;
      setFetchDeadline(name, entry.fetch_deadline, std::nullopt);
      setState(entry, VerdictState::kTimeout, now);
    }
    timed_out.push_back(std::move(name));
  }
  stats_.init_fetch_timeout += timed_out.size();
  if (!timed_out.empty()) watcher_.onFetchTimeout(timed_out);
}

// --- views

std::vector<Verdict> SubscriptionMachine::verdicts() const {
  std::vector<Verdict> all;
  all.reserve(entries_.size());
  for (const auto& [name, entry] : entries_) {
    all.push_back({options_.type_url, name, entry.version, entry.body, entry.state, entry.rejected_version, entry.error,
                   entry.since});
  }
  return all;
}

SubscriptionStats SubscriptionMachine::stats() const {
  SubscriptionStats stats = stats_;
  stats.resources = static_cast<uint64_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const auto& e) { return e.second.body != nullptr; }));
  return stats;
}

}  // namespace sluice::xds
