// One discovery stream and the proxy behind it, without gRPC: requests in, responses out, in the order that keeps a
// proxy free of errors of its own.
//
// Order per proxy: clusters, endpoints and secrets at once. Listeners and routes when the clusters were acknowledged or
// refused, and so were the endpoints and secrets that the proxy asked for and never had before: until then it does not
// use a cluster that needs them. Both at most 15 s: additions never stop. A proxy that took a cluster is given a moment
// to ask for what the cluster needs (its ACK may overtake its question); what it did not ask for is not waited for.
// What is gone is removed when all of it was acknowledged, and what that names was asked for and acknowledged,
// listeners and routes before clusters and endpoints. While a proxy refuses something, nothing is removed from it.
//
// Thread: one (the main loop). Ownership: a Proxy outlives its streams; both hold the snapshot that they serve.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "source/control_plane/subscription.h"

namespace sluice::control_plane {

// How long listeners and routes wait for the verdict on clusters and what those need.
inline constexpr std::chrono::seconds kSilenceLimit{15};

class StreamState;

// One client process: an ADS stream, or the streams of single types that it has.
class Proxy {
 public:
  Proxy() = default;
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  // Null until there is something to serve; then nothing is answered.
  void setSnapshot(SnapshotPtr snapshot, TimePoint now);
  const SnapshotPtr& snapshot() const { return snapshot_; }
  const std::vector<StreamState*>& streams() const { return streams_; }

  bool mayAdd(ResourceType type, TimePoint now) const;
  bool mayRemove(ResourceType type, TimePoint now) const;
  // There is no other type that could still refer to what is gone, and nothing was refused.
  bool mayRemoveAtOnce() const;
  // When mayAdd() and mayRemove() look again by time alone; nullopt if nothing waits for that.
  std::optional<TimePoint> deadline(TimePoint now) const;
  // Everything was sent and acknowledged, nothing refused.
  bool upToDate() const;

 private:
  friend class StreamState;

  std::optional<TimePoint> clustersDue(TimePoint now) const;
  std::optional<TimePoint> needsDue(ResourceType of, TimePoint now) const;
  std::optional<TimePoint> removalsDue(TimePoint now) const;
  std::optional<TimePoint> unansweredDue(TimePoint now, bool leaves_only) const;
  bool asksFor(const ResourceName& what) const;

  SnapshotPtr snapshot_;
  std::vector<StreamState*> streams_;  // borrowed; they enter and leave by themselves
};

class StreamState {
 public:
  StreamState(Variant variant, Proxy& proxy);
  ~StreamState();
  StreamState(const StreamState&) = delete;
  StreamState& operator=(const StreamState&) = delete;

  void onRequest(const Request& request, TimePoint now);
  // The next response, from the newest snapshot. Ask again after each write until nullopt; ask all streams of a proxy
  // after each event of one of them, because what one acknowledges lets another go on.
  std::optional<Response> next(TimePoint now);

  Variant variant() const { return variant_; }
  const Subscription& subscription(ResourceType type) const { return subscriptions_[static_cast<size_t>(type)]; }
  // How many types have something to compare; it falls without a response when nothing differs.
  size_t dirtyCount() const;

 private:
  friend class Proxy;

  const Variant variant_;
  Proxy& proxy_;
  std::array<Subscription, kResourceTypeCount> subscriptions_;
};

}  // namespace sluice::control_plane
