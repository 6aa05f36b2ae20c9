#include "source/control_plane/subscription.h"

#include <algorithm>
#include <utility>

#include "source/control_plane/refusal.h"

namespace sluice::control_plane {
namespace {

// A client that never answers must not make us remember every response; delta clients answer each one.
constexpr size_t kMaxOutstanding = 256;
// As many needs are looked at for as long as a client may take to ask for them.
constexpr size_t kMaxNeeds = 100'000;
// State of the world does not tell which version of a resource a client has from an earlier stream.
constexpr std::string_view kSomeVersion = "?";

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
    knowFromEarlierStream(request);
    markDirty(now);
    return;
  }
  const std::string current = lastNonce();
  if (variant_ == Variant::kStateOfTheWorld && !request.nonce.empty() && request.nonce != current) return;
  takeVerdict(request, now);
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
    must_repeat_ = true;
    must_answer_ = true;
  }
}

void Subscription::knowFromEarlierStream(const Request& request) {
  if (variant_ == Variant::kDelta) {
    for (const auto& [name, version] : request.initial_versions) {
      if (asksFor(name)) sent_[name] = Sent{nullptr, version, nullptr};
    }
  } else if (!isCompleteSet(type_) && !request.version.empty()) {
    for (const std::string& name : names_) sent_[name] = Sent{nullptr, std::string(kSomeVersion), nullptr};
  }
}

void Subscription::takeDeltaInterest(const Request& request, bool first) {
  const bool can_be_wildcard = isCompleteSet(type_);
  if (first) {
    wildcard_ = can_be_wildcard && request.subscribe.empty();
    must_answer_ = true;
  }
  for (const std::string& name : request.subscribe) {
    must_answer_ = true;
    if (name == "*" && can_be_wildcard) {
      wildcard_ = true;
      continue;
    }
    names_.insert(name);
    if (!first) forgetVersion(name);
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

// Each subscription is answered, even if we think that the client has the resource; and even if we think that it has
// not, the client may go on using what it was given.
void Subscription::forgetVersion(const std::string& name) {
  const auto sent = sent_.find(name);
  if (sent == sent_.end()) return;
  if (sent->second.version.empty() || absent_.contains(name)) {
    absent_.erase(name);
    sent_.erase(sent);
  } else {
    sent->second.resource = nullptr;
    sent->second.version = kSomeVersion;
  }
}

void Subscription::forgetWhatIsNotAskedFor() {
  std::erase_if(sent_, [this](const auto& entry) { return !asksFor(entry.first); });
  std::erase_if(held_, [this](const auto& entry) { return !asksFor(entry.first); });
  std::erase_if(refused_, [this](const auto& entry) { return !asksFor(entry.first); });
  std::erase_if(unanswered_, [this](const auto& entry) { return !asksFor(entry.first); });
  std::erase_if(absent_, [this](const auto& name) { return !asksFor(name); });
}

void Subscription::takeVerdict(const Request& request, TimePoint now) {
  answered_ = false;
  const auto found = std::find_if(outstanding_.begin(), outstanding_.end(),
                                  [&](const Outstanding& response) { return response.nonce == request.nonce; });
  if (found == outstanding_.end()) return;
  answered_ = true;
  const Outstanding response = std::move(*found);
  outstanding_.erase(found);
  if (request.error.has_value()) {
    refuse(response, *request.error, now);
    return;
  }
  for (const auto& [name, version] : response.versions) accept(name, version, now);
  // A refusal of what was replaced since says nothing about what the client has now.
  std::erase_if(refused_, [this](const auto& entry) {
    const auto sent = sent_.find(entry.first);
    return sent == sent_.end() || sent->second.version != entry.second;
  });
  version_acknowledged_ = response.version;
  if (refused_.empty()) last_error_.reset();
}

void Subscription::forEachShown(const std::function<void(const Shown&)>& visit) const {
  for (const auto& [name, sent] : sent_) {
    Shown shown{.name = name, .version = sent.version, .sent = sent.resource.get(), .accepted = sent.accepted.get()};
    if (const auto refused = refused_.find(name); refused != refused_.end()) {
      shown.refused = true;
      shown.refused_version = refused->second;
    }
    visit(shown);
  }
  for (const std::string& name : names_) {
    if (!sent_.contains(name)) visit({.name = name, .version = {}, .answered = false});
  }
}

void Subscription::accept(const std::string& name, const std::string& version, TimePoint now) {
  refused_.erase(name);
  unanswered_.erase(name);
  const auto found = sent_.find(name);
  if (found == sent_.end()) return;
  Sent& sent = found->second;
  if (sent.version != version || sent.resource == nullptr) return;
  if (sent.accepted != sent.resource) noteNeeds(*sent.resource, sent.accepted.get(), now);
  sent.accepted = sent.resource;
}

// A client names what it refuses; what it does not name it has applied.
void Subscription::refuse(const Outstanding& response, const std::string& error, TimePoint now) {
  last_error_ = error;
  const std::set<std::string> named = refusedNames(type_, response.versions, error);
  for (const auto& [name, version] : response.versions) {
    if (!named.contains(name)) {
      accept(name, version, now);
    } else if (sent_.contains(name)) {
      refused_[name] = version;
      unanswered_.erase(name);
    }
  }
}

void Subscription::noteNeeds(const Resource& resource, const Resource* before, TimePoint now) {
  for (const ResourceName& need : resource.needs) {
    const bool known = before != nullptr && std::binary_search(before->needs.begin(), before->needs.end(), need);
    if (!known) new_needs_.push_back({need, now});
  }
  while (new_needs_.size() > kMaxNeeds || (!new_needs_.empty() && now - new_needs_.front().since >= kTimeToAsk)) {
    new_needs_.pop_front();
  }
}

std::optional<TimePoint> Subscription::unansweredUntil(TimePoint now, std::chrono::milliseconds limit) const {
  std::optional<TimePoint> latest;
  // What is to be sent at once counts too: the writer may be busy.
  const bool at_once = type_ == ResourceType::kEndpoints || type_ == ResourceType::kSecret;
  if (at_once && started_ && dirty_ && waiting_since_) latest = *waiting_since_;
  for (const auto& [name, since] : unanswered_) {
    if (!latest || *latest < since) latest = since;
  }
  if (!latest || now - *latest >= limit) return std::nullopt;
  return *latest + limit;
}

// --- responses -----------------------------------------------------------------------------------------------------

void Subscription::onSnapshotChanged(TimePoint now) {
  if (started_) markDirty(now);
}

std::optional<Response> Subscription::additions(const Snapshot& snapshot, Gone gone, TimePoint now) {
  const ResourceMap visible = visibleIn(snapshot);
  findHeld(visible, gone);
  std::erase_if(refused_, [&](const auto& entry) {
    const auto target = visible.find(entry.first);
    return target == visible.end() || target->second->version != entry.second;
  });
  const bool whole = variant_ == Variant::kStateOfTheWorld && isCompleteSet(type_);
  std::optional<Response> response = whole ? completeSet(snapshot, visible, now) : changes(snapshot, visible, now);
  if (!response && refused_.empty()) last_error_.reset();  // what it was about is gone
  dirty_ = false;
  must_answer_ = false;
  must_repeat_ = false;
  noteSettled();
  return response;
}

std::optional<Response> Subscription::removals(const Snapshot& snapshot, TimePoint now) {
  std::vector<std::string> gone;
  for (const auto& [name, resource] : held_) gone.push_back(name);
  held_.clear();
  if (variant_ == Variant::kStateOfTheWorld && !isCompleteSet(type_)) {
    for (const std::string& name : gone) sent_[name] = Sent{};
    return std::nullopt;
  }
  if (!waiting_since_) waiting_since_ = now;
  if (variant_ == Variant::kStateOfTheWorld) return completeSet(snapshot, visibleIn(snapshot), now);
  for (const std::string& name : gone) {
    if (names_.contains(name)) {
      sent_[name] = Sent{};
    } else {
      sent_.erase(name);
    }
  }
  return respond(snapshot, {}, std::move(gone), now);
}

std::optional<Response> Subscription::completeSet(const Snapshot& snapshot, const ResourceMap& visible, TimePoint now) {
  ResourceMap set = visible;
  set.insert(held_.begin(), held_.end());
  if (sameSet(set, sent_) && !must_answer_) return std::nullopt;
  std::erase_if(sent_, [&](const auto& entry) { return !set.contains(entry.first); });
  std::vector<ResourcePtr> resources;
  resources.reserve(set.size());
  for (const auto& [name, resource] : set) resources.push_back(resource);
  outstanding_.clear();
  return respond(snapshot, std::move(resources), {}, now);
}

std::optional<Response> Subscription::changes(const Snapshot& snapshot, const ResourceMap& visible, TimePoint now) {
  std::vector<ResourcePtr> resources;
  for (const auto& [name, resource] : visible) {
    const auto sent = sent_.find(name);
    if (must_repeat_ || sent == sent_.end() || sent->second.version != resource->version) resources.push_back(resource);
  }
  std::vector<std::string> removed = sayRemoved(visible);
  if (variant_ == Variant::kStateOfTheWorld) {
    removed.clear();
    if (resources.empty()) return std::nullopt;
  }
  // A wildcard is answered even when there is nothing, so that the client need not wait for its time limit.
  if (resources.empty() && removed.empty() && !(must_answer_ && wildcard_)) return std::nullopt;
  return respond(snapshot, std::move(resources), std::move(removed), now);
}

// What the client is to be told that it is gone, or was never there.
std::vector<std::string> Subscription::sayRemoved(const ResourceMap& visible) {
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
  return removed;
}

Response Subscription::respond(const Snapshot& snapshot, std::vector<ResourcePtr> resources,
                               std::vector<std::string> removed, TimePoint now) {
  Response response{type_, snapshot.version(type_), std::to_string(++last_nonce_), std::move(resources),
                    std::move(removed)};
  const bool whole = variant_ == Variant::kStateOfTheWorld && isCompleteSet(type_);
  if (whole && !held_.empty()) {
    ResourceMap set;
    for (const ResourcePtr& resource : response.resources) set.emplace(resource->name, resource);
    response.version = versionOf(set);
  }
  Outstanding outstanding{response.nonce, response.version, {}};
  // In state of the world only the newest response is answered: its verdict covers what it overtook.
  if (variant_ == Variant::kStateOfTheWorld && !outstanding_.empty()) {
    outstanding.versions = std::move(outstanding_.back().versions);
    outstanding_.clear();
  }
  for (const std::string& name : response.removed) {
    outstanding.versions[name].clear();
    unanswered_.erase(name);
  }
  for (const ResourcePtr& resource : response.resources) {
    Sent& sent = sent_[resource->name];
    const bool from_earlier_stream = sent.resource == nullptr && !sent.version.empty();
    if (sent.accepted == nullptr && !from_earlier_stream) unanswered_.try_emplace(resource->name, now);
    sent.resource = resource;
    sent.version = resource->version;
    if (sent.accepted != resource) outstanding.versions[resource->name] = resource->version;
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

// A name of endpoints that nobody gives is answered with none, so that no client waits for them; but one that a client
// may have endpoints for keeps those.
ResourcePtr Subscription::named(const Snapshot& snapshot, const std::string& name) {
  ResourcePtr resource = snapshot.find(type_, name);
  if (resource != nullptr || type_ != ResourceType::kEndpoints) {
    absent_.erase(name);
    return resource;
  }
  if (sent_.contains(name) && !absent_.contains(name)) return nullptr;
  absent_.insert(name);
  return emptyAssignment(name);
}

ResourceMap Subscription::visibleIn(const Snapshot& snapshot) {
  ResourceMap visible;
  if (wildcard_) {
    for (const auto& [name, resource] : snapshot.all(type_)) {
      if (wildcardHas(*resource)) visible.emplace_hint(visible.end(), name, resource);
    }
  }
  for (const std::string& name : names_) {
    if (ResourcePtr resource = named(snapshot, name)) visible.emplace(name, std::move(resource));
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
