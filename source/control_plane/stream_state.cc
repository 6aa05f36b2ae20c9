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
  return std::all_of(streams_.begin(), streams_.end(), [now](const StreamState* stream) {
    const auto since = stream->subscription(ResourceType::kCluster).waitingSince();
    return !since || now - *since >= kSilenceLimit;
  });
}

bool Proxy::mayRemove(ResourceType type) const {
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
  std::optional<TimePoint> latest;
  bool something_waits = false;
  for (const StreamState* stream : streams_) {
    for (ResourceType type : kResourceTypes) {
      something_waits = something_waits || (refersToClusters(type) && stream->subscription(type).dirty());
    }
    const auto since = stream->subscription(ResourceType::kCluster).waitingSince();
    if (since && *since + kSilenceLimit > now && (!latest || *latest < *since + kSilenceLimit)) {
      latest = *since + kSilenceLimit;
    }
  }
  return something_waits ? latest : std::nullopt;
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
    if (auto response = subscription.additions(snapshot, gone)) return response;
  }
  for (ResourceType type : kRemovalOrder) {
    Subscription& subscription = subscriptions_[static_cast<size_t>(type)];
    if (!subscription.holdsRemovals() || !proxy_.mayRemove(type)) continue;
    if (auto response = subscription.removals(snapshot, now)) return response;
  }
  return std::nullopt;
}

}  // namespace sluice::control_plane
