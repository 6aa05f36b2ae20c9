#include "source/control_plane/stream_state.h"

#include <algorithm>

namespace sluice::control_plane {
namespace {

// What refers goes before what it refers to.
constexpr std::array<ResourceType, kResourceTypeCount> kRemovalOrder = {
    ResourceType::kListener, ResourceType::kRoute, ResourceType::kCluster, ResourceType::kEndpoints,
    ResourceType::kSecret};

// Refers to nothing: what others wait for does not depend on its verdict.
bool isLeaf(ResourceType type) {
  return type == ResourceType::kEndpoints || type == ResourceType::kSecret;
}

bool refersToClusters(ResourceType type) {
  return type == ResourceType::kListener || type == ResourceType::kRoute;
}

}  // namespace

// --- Proxy ---------------------------------------------------------------------------------------------------------

void Proxy::setSnapshot(SnapshotPtr snapshot, TimePoint now) {
  if (snapshot == snapshot_) return;
  snapshot_ = std::move(snapshot);
  for (StreamState* stream : streams_) {
    for (Subscription& subscription : stream->subscriptions_) subscription.onSnapshotChanged(now);
  }
}

bool Proxy::mayAdd(ResourceType type, TimePoint now) const {
  if (!refersToClusters(type)) return true;
  return !clustersDue(now) && !needsDue(ResourceType::kCluster, now) && !unansweredDue(now, /*leaves_only=*/true);
}

// Each tells when the last of what is waited for is given up; nullopt if nothing is waited for.

std::optional<TimePoint> Proxy::clustersDue(TimePoint now) const {
  std::optional<TimePoint> due;
  for (const StreamState* stream : streams_) {
    const auto since = stream->subscription(ResourceType::kCluster).waitingSince();
    if (since && now - *since < kSilenceLimit) due = std::max(due, std::optional(*since + kSilenceLimit));
  }
  return due;
}

std::optional<TimePoint> Proxy::needsDue(ResourceType of, TimePoint now) const {
  for (const StreamState* stream : streams_) {
    const auto& needs = stream->subscription(of).newNeeds();
    // The newest first: those that are older are given up earlier.
    for (auto need = needs.rbegin(); need != needs.rend() && now - need->since < kTimeToAsk; ++need) {
      const bool given = snapshot_ != nullptr && snapshot_->find(need->what.type, need->what.name) != nullptr;
      if (given && !asksFor(need->what)) return need->since + kTimeToAsk;
    }
  }
  return std::nullopt;
}

std::optional<TimePoint> Proxy::unansweredDue(TimePoint now, bool leaves_only) const {
  std::optional<TimePoint> due;
  for (const StreamState* stream : streams_) {
    for (ResourceType type : {ResourceType::kEndpoints, ResourceType::kSecret, ResourceType::kRoute}) {
      if (leaves_only && !isLeaf(type)) continue;
      due = std::max(due, stream->subscription(type).unansweredUntil(now, kSilenceLimit));
    }
  }
  return due;
}

// What a proxy took is in use only when it has what that needs; until then the old is.
std::optional<TimePoint> Proxy::removalsDue(TimePoint now) const {
  return std::max({needsDue(ResourceType::kCluster, now), needsDue(ResourceType::kListener, now),
                   needsDue(ResourceType::kRoute, now), unansweredDue(now, /*leaves_only=*/false)});
}

bool Proxy::asksFor(const ResourceName& what) const {
  return std::any_of(streams_.begin(), streams_.end(), [&](const StreamState* stream) {
    const Subscription& subscription = stream->subscription(what.type);
    return subscription.wildcard() || subscription.names().contains(what.name);
  });
}

bool Proxy::mayRemove(ResourceType type, TimePoint now) const {
  if (removalsDue(now)) return false;
  for (const StreamState* stream : streams_) {
    for (ResourceType other : kResourceTypes) {
      const Subscription& subscription = stream->subscription(other);
      if (subscription.refused()) return false;
      if (!isLeaf(other) && !subscription.settled()) return false;
    }
    for (ResourceType earlier : kRemovalOrder) {
      if (earlier == type) break;
      if (stream->subscription(earlier).holdsRemovals()) return false;
    }
  }
  return true;
}

bool Proxy::mayRemoveAtOnce() const {
  size_t types = 0;
  for (ResourceType type : {ResourceType::kCluster, ResourceType::kListener, ResourceType::kRoute}) {
    types += std::any_of(streams_.begin(), streams_.end(),
                         [type](const StreamState* stream) { return stream->subscription(type).started(); });
  }
  return types <= 1 && std::none_of(streams_.begin(), streams_.end(), [](const StreamState* stream) {
           return std::any_of(kResourceTypes.begin(), kResourceTypes.end(),
                              [stream](ResourceType type) { return stream->subscription(type).refused(); });
         });
}

std::optional<TimePoint> Proxy::deadline(TimePoint now) const {
  bool adds = false;
  bool removes = false;
  for (const StreamState* stream : streams_) {
    for (ResourceType type : kResourceTypes) {
      adds = adds || (refersToClusters(type) && stream->subscription(type).dirty());
      removes = removes || stream->subscription(type).holdsRemovals();
    }
  }
  if (!adds && !removes) return std::nullopt;
  const std::optional<TimePoint> removal = removes ? removalsDue(now) : std::nullopt;
  if (!adds) return removal;
  const std::optional<TimePoint> addition =
      std::max({clustersDue(now), needsDue(ResourceType::kCluster, now), unansweredDue(now, /*leaves_only=*/true)});
  return addition && removal ? std::min(addition, removal) : std::max(addition, removal);
}

bool Proxy::upToDate() const {
  return std::all_of(streams_.begin(), streams_.end(), [](const StreamState* stream) {
    return std::all_of(kResourceTypes.begin(), kResourceTypes.end(), [stream](ResourceType type) {
      const Subscription& subscription = stream->subscription(type);
      return subscription.settled() && !subscription.holdsRemovals() && !subscription.refused();
    });
  });
}

// --- StreamState ---------------------------------------------------------------------------------------------------

StreamState::StreamState(Variant variant, Proxy& proxy)
    : variant_(variant),
      proxy_(proxy),
      subscriptions_{Subscription(ResourceType::kCluster, variant), Subscription(ResourceType::kEndpoints, variant),
                     Subscription(ResourceType::kListener, variant), Subscription(ResourceType::kRoute, variant),
                     Subscription(ResourceType::kSecret, variant)} {
  proxy_.streams_.push_back(this);
}

StreamState::~StreamState() {
  std::erase(proxy_.streams_, this);
}

size_t StreamState::dirtyCount() const {
  return static_cast<size_t>(std::count_if(subscriptions_.begin(), subscriptions_.end(),
                                           [](const Subscription& subscription) { return subscription.dirty(); }));
}

void StreamState::onRequest(const Request& request, TimePoint now) {
  subscriptions_[static_cast<size_t>(request.type)].onRequest(request, now);
}

std::optional<Response> StreamState::next(TimePoint now) {
  if (proxy_.snapshot() == nullptr) return std::nullopt;
  const Snapshot& snapshot = *proxy_.snapshot();
  for (ResourceType type : kResourceTypes) {
    Subscription& subscription = subscriptions_[static_cast<size_t>(type)];
    if (!subscription.dirty() || !proxy_.mayAdd(type, now)) continue;
    const Subscription::Gone gone = proxy_.mayRemoveAtOnce() ? Subscription::Gone::kAtOnce : Subscription::Gone::kHeld;
    if (auto response = subscription.additions(snapshot, gone, now)) return response;
  }
  for (ResourceType type : kRemovalOrder) {
    Subscription& subscription = subscriptions_[static_cast<size_t>(type)];
    if (!subscription.holdsRemovals() || !proxy_.mayRemove(type, now)) continue;
    if (auto response = subscription.removals(snapshot, now)) return response;
  }
  return std::nullopt;
}

}  // namespace sluice::control_plane
