#include "source/control_plane/subscription.h"

#include <algorithm>
#include <utility>

namespace sluice::control_plane {
namespace {

// A client that never answers must not make us remember every response; delta clients answer each one.
constexpr size_t kMaxOutstanding = 256;

bool sameSet(const ResourceMap& set, const auto& sent) {
  if (set.size() != sent.size()) return false;
  return std::equal(set.begin(), set.end(), sent.begin(), [](const auto& wanted, const auto& had) {
    return wanted.first == had.first && wanted.second->version == had.second.version;
  });
}

}  // namespace

// --- requests ------------------------------------------------------------------------------------------------------

void Subscription::onRequest(const Request& request, TimePoint now) {
  const bool first = !std::exchange(started_, true);
  if (first) {
    // A nonce lives within one stream only: what a first request carries says nothing.
    takeInterest(request, first);
    markDirty(now);
    return;
  }
  const std::string current = last_nonce_ == 0 ? std::string() : std::to_string(last_nonce_);
  if (variant_ == Variant::kStateOfTheWorld && !request.nonce.empty() && request.nonce != current) return;
  takeVerdict(request);
  takeInterest(request, first);
  if (must_answer_ || !say_removed_.empty()) markDirty(now);
  noteSettled();
}

void Subscription::takeInterest(const Request& request, bool first) {
  if (variant_ == Variant::kDelta) {
    takeDeltaInterest(request, first);
  } else {
    takeNames(request, first);
  }
}

void Subscription::takeNames(const Request& request, bool first) {
  std::set<std::string, std::less<>> names(request.names.begin(), request.names.end());
  ever_named_ = ever_named_ || !names.empty();
  const bool was_wildcard = wildcard_;
  const bool can_be_wildcard = isCompleteSet(type_);
  wildcard_ = can_be_wildcard && (!ever_named_ || names.erase("*") > 0);
  const bool unchanged = names == names_ && wildcard_ == was_wildcard;
  const bool grew = (wildcard_ && !was_wildcard) || std::any_of(names.begin(), names.end(), [this](const auto& name) {
                      return !names_.contains(name);
                    });
  names_ = std::move(names);
  if (!unchanged) forgetWhatIsNotAskedFor();
  if (first || grew) {
    must_answer_ = true;
    return;
  }
  // The same list again, and not as an answer: a client that warms a changed cluster asks for its endpoints anew.
  const bool is_answer = request.error.has_value() || answered_;
  if (unchanged && !is_answer && !request.nonce.empty() && !can_be_wildcard && !names_.empty()) {
    sent_.clear();
    must_answer_ = true;
  }
}

void Subscription::takeDeltaInterest(const Request& request, bool first) {
  const bool can_be_wildcard = isCompleteSet(type_);
  if (first) {
    wildcard_ = can_be_wildcard && request.subscribe.empty();
    must_answer_ = true;
    for (const auto& [name, version] : request.initial_versions) sent_[name] = Sent{nullptr, version, nullptr};
  }
  for (const std::string& name : request.subscribe) {
    must_answer_ = true;
    if (name == "*" && can_be_wildcard) {
      wildcard_ = true;
      continue;
    }
    names_.insert(name);
    // Each subscription is answered, even if we think that the client has the resource.
    if (!first) sent_.erase(name);
  }
  for (const std::string& name : request.unsubscribe) {
    if (name == "*" && can_be_wildcard) {
      wildcard_ = false;
      continue;
    }
    if (names_.erase(name) == 0 || !wildcard_) continue;
    sent_.erase(name);
    say_removed_.insert(name);
  }
  if (first || !request.unsubscribe.empty()) forgetWhatIsNotAskedFor();
}

void Subscription::forgetWhatIsNotAskedFor() {
  std::erase_if(sent_, [this](const auto& entry) { return !asksFor(entry.first); });
  std::erase_if(held_, [this](const auto& entry) { return !asksFor(entry.first); });
  std::erase_if(refused_, [this](const auto& entry) { return !asksFor(entry.first); });
}

void Subscription::takeVerdict(const Request& request) {
  answered_ = false;
  const auto found = std::find_if(outstanding_.begin(), outstanding_.end(),
                                  [&](const Outstanding& response) { return response.nonce == request.nonce; });
  if (found == outstanding_.end()) return;
  answered_ = true;
  const Outstanding response = std::move(*found);
  outstanding_.erase(found);
  if (request.error.has_value()) {
    refuse(response, *request.error);
    return;
  }
  accept(response.names);
  version_acknowledged_ = response.version;
  if (refused_.empty()) last_error_.reset();
}

void Subscription::accept(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    refused_.erase(name);
    const auto sent = sent_.find(name);
    if (sent != sent_.end()) sent->second.accepted = sent->second.resource;
  }
}

// A client names what it refuses; what it does not name it has applied. If it names nothing, all of it is in doubt.
void Subscription::refuse(const Outstanding& response, const std::string& error) {
  last_error_ = error;
  std::vector<std::string> named;
  std::vector<std::string> others;
  for (const std::string& name : response.names) {
    (error.find(name) == std::string::npos ? others : named).push_back(name);
  }
  if (named.empty()) std::swap(named, others);
  accept(others);
  for (const std::string& name : named) {
    const auto sent = sent_.find(name);
    if (sent != sent_.end()) refused_[name] = sent->second.version;
  }
}

// --- responses -----------------------------------------------------------------------------------------------------

void Subscription::onSnapshotChanged(TimePoint now) {
  if (started_) markDirty(now);
}

std::optional<Response> Subscription::additions(const Snapshot& snapshot, Gone gone) {
  const ResourceMap visible = visibleIn(snapshot);
  findHeld(visible, gone);
  std::erase_if(refused_, [&](const auto& entry) {
    const auto target = visible.find(entry.first);
    return target == visible.end() || target->second->version != entry.second;
  });
  const bool whole = variant_ == Variant::kStateOfTheWorld && isCompleteSet(type_);
  std::optional<Response> response = whole ? completeSet(snapshot, visible) : changes(snapshot, visible);
  if (!response && refused_.empty()) last_error_.reset();  // what it was about is gone
  dirty_ = false;
  must_answer_ = false;
  noteSettled();
  return response;
}

std::optional<Response> Subscription::removals(const Snapshot& snapshot, TimePoint now) {
  std::vector<std::string> gone;
  for (const auto& [name, resource] : held_) gone.push_back(name);
  held_.clear();
  if (variant_ == Variant::kStateOfTheWorld && !isCompleteSet(type_)) {
    for (const std::string& name : gone) sent_.erase(name);
    return std::nullopt;
  }
  if (!waiting_since_) waiting_since_ = now;
  if (variant_ == Variant::kStateOfTheWorld) return completeSet(snapshot, visibleIn(snapshot));
  for (const std::string& name : gone) {
    if (names_.contains(name)) {
      sent_[name] = Sent{};
    } else {
      sent_.erase(name);
    }
  }
  return respond(snapshot, {}, std::move(gone));
}

std::optional<Response> Subscription::completeSet(const Snapshot& snapshot, const ResourceMap& visible) {
  ResourceMap set = visible;
  set.insert(held_.begin(), held_.end());
  if (sameSet(set, sent_) && !must_answer_) return std::nullopt;
  std::erase_if(sent_, [&](const auto& entry) { return !set.contains(entry.first); });
  std::vector<ResourcePtr> resources;
  resources.reserve(set.size());
  for (const auto& [name, resource] : set) resources.push_back(resource);
  outstanding_.clear();
  return respond(snapshot, std::move(resources), {});
}

std::optional<Response> Subscription::changes(const Snapshot& snapshot, const ResourceMap& visible) {
  std::vector<ResourcePtr> resources;
  for (const auto& [name, resource] : visible) {
    const auto sent = sent_.find(name);
    if (sent == sent_.end() || sent->second.version != resource->version) resources.push_back(resource);
  }
  std::vector<std::string> removed;
  if (variant_ == Variant::kDelta) {
    for (const std::string& name : std::exchange(say_removed_, {})) {
      if (!visible.contains(name)) removed.push_back(name);
    }
    for (const std::string& name : names_) {
      if (visible.contains(name) || sent_.contains(name)) continue;
      removed.push_back(name);
      sent_[name] = Sent{};
    }
  }
  for (auto sent = sent_.begin(); sent != sent_.end();) {
    const bool gone = !sent->second.version.empty() && !visible.contains(sent->first) && !held_.contains(sent->first);
    if (!gone) {
      ++sent;
      continue;
    }
    removed.push_back(sent->first);
    if (names_.contains(sent->first)) {
      (sent++)->second = Sent{};
    } else {
      sent = sent_.erase(sent);
    }
  }
  if (variant_ == Variant::kStateOfTheWorld) {
    removed.clear();
    if (resources.empty()) return std::nullopt;
    outstanding_.clear();
  }
  // A wildcard is answered even when there is nothing, so that the client need not wait for its time limit.
  if (resources.empty() && removed.empty() && !(must_answer_ && wildcard_)) return std::nullopt;
  return respond(snapshot, std::move(resources), std::move(removed));
}

Response Subscription::respond(const Snapshot& snapshot, std::vector<ResourcePtr> resources,
                               std::vector<std::string> removed) {
  Response response{type_, snapshot.version(type_), std::to_string(++last_nonce_), std::move(resources),
                    std::move(removed)};
  const bool whole = variant_ == Variant::kStateOfTheWorld && isCompleteSet(type_);
  if (whole && !held_.empty()) {
    ResourceMap set;
    for (const ResourcePtr& resource : response.resources) set.emplace(resource->name, resource);
    response.version = versionOf(set);
  }
  Outstanding outstanding{response.nonce, response.version, response.removed};
  for (const ResourcePtr& resource : response.resources) {
    Sent& sent = sent_[resource->name];
    sent.resource = resource;
    sent.version = resource->version;
    if (sent.accepted != resource) outstanding.names.push_back(resource->name);
  }
  version_sent_ = response.version;
  outstanding_.push_back(std::move(outstanding));
  if (outstanding_.size() > kMaxOutstanding) outstanding_.pop_front();
  return response;
}

// --- what the client may see and keep ------------------------------------------------------------------------------

bool Subscription::asksFor(std::string_view name) const {
  if (names_.contains(name)) return true;
  if (!wildcard_) return false;
  const auto sent = sent_.find(name);
  return sent == sent_.end() || sent->second.resource == nullptr || wildcardHas(*sent->second.resource);
}

ResourceMap Subscription::visibleIn(const Snapshot& snapshot) const {
  ResourceMap visible;
  if (wildcard_) {
    for (const auto& [name, resource] : snapshot.all(type_)) {
      if (wildcardHas(*resource)) visible.emplace_hint(visible.end(), name, resource);
    }
  }
  for (const std::string& name : names_) {
    if (ResourcePtr resource = snapshot.find(type_, name)) visible.emplace(name, std::move(resource));
  }
  return visible;
}

// The form in which the client keeps `name` until removals may go; null if it keeps none that we know.
ResourcePtr Subscription::stillHeld(const std::string& name, const Sent& sent) const {
  return refused_.contains(name) ? sent.accepted : sent.resource;
}

void Subscription::findHeld(const ResourceMap& visible, Gone gone) {
  held_.clear();
  if (gone == Gone::kAtOnce) return;
  std::set<std::string_view> bound;
  if (type_ == ResourceType::kListener) {
    for (const auto& [name, resource] : visible) bound.insert(resource->addresses.begin(), resource->addresses.end());
  }
  for (const auto& [name, sent] : sent_) {
    if (sent.version.empty() || visible.contains(name)) continue;
    ResourcePtr kept = stillHeld(name, sent);
    const bool known_by_version_only = sent.resource == nullptr;
    if (kept == nullptr && !known_by_version_only) continue;
    // An address moves to another listener within one response: held back, the old one would keep the new one out.
    const bool address_taken =
        kept != nullptr && std::any_of(kept->addresses.begin(), kept->addresses.end(),
                                       [&](const auto& address) { return bound.contains(address); });
    if (!address_taken) held_.emplace(name, std::move(kept));
  }
}

void Subscription::markDirty(TimePoint now) {
  dirty_ = true;
  if (!waiting_since_) waiting_since_ = now;
}

void Subscription::noteSettled() {
  if (settled()) waiting_since_.reset();
}

}  // namespace sluice::control_plane
