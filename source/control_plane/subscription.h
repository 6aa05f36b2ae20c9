// What one stream asks for of one resource type, what it was sent, and what it said to that.
//
// Pure logic: no I/O, no clock, no thread of its own. Nothing is queued: a response is computed when it can be written,
// from the newest snapshot, so a slow reader never gets an old state and never holds memory for one.
// Rules: xDS protocol (nonces, wildcard, removal), see README.md.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "source/control_plane/discovery_messages.h"
#include "source/control_plane/snapshot.h"

namespace sluice::control_plane {

using TimePoint = std::chrono::steady_clock::time_point;

// How long a client that took a cluster is given to ask for what the cluster needs.
inline constexpr std::chrono::milliseconds kTimeToAsk{250};

class Subscription {
 public:
  Subscription(ResourceType type, Variant variant) : type_(type), variant_(variant) {}

  ResourceType type() const { return type_; }

  // Takes interest, ACK and NACK from a request. A state-of-the-world request with a stale nonce changes nothing.
  void onRequest(const Request& request, TimePoint now);
  // The snapshot of the proxy is another one: it must be compared again.
  void onSnapshotChanged(TimePoint now);

  // True while the snapshot or the interest changed and additions() was not asked since.
  bool dirty() const { return dirty_; }
  // What is new or changed: nullopt if the client has it all. What is gone goes at once, or is held until removals().
  enum class Gone { kAtOnce, kHeld };
  std::optional<Response> additions(const Snapshot& snapshot, Gone gone, TimePoint now);
  // True if the client still has resources that the snapshot no longer has.
  bool holdsRemovals() const { return !held_.empty(); }
  // Lets them go: nullopt if nothing needs to be said (types that are not complete sets, in state of the world).
  std::optional<Response> removals(const Snapshot& snapshot, TimePoint now);

  bool started() const { return started_; }
  // The client answered everything that there was to send.
  bool settled() const { return !dirty_ && outstanding_.empty(); }
  // When it stopped being settled; nullopt while it is.
  std::optional<TimePoint> waitingSince() const { return waiting_since_; }
  // The client refused something that the snapshot still holds.
  bool refused() const { return !refused_.empty(); }

  // Until when others wait for what the client asked for and was sent for the first time; nullopt if it said what it
  // makes of all of it, or has had `limit` for that.
  std::optional<TimePoint> unansweredUntil(TimePoint now, std::chrono::milliseconds limit) const;
  // What clusters need since the client took them, and when it took them; the oldest first. See StreamState.
  struct Need {
    ResourceName what;
    TimePoint since;
  };
  const std::deque<Need>& newNeeds() const { return new_needs_; }

  // For the status page.
  const std::string& versionSent() const { return version_sent_; }
  std::string lastNonce() const { return last_nonce_ == 0 ? std::string() : std::to_string(last_nonce_); }
  const std::string& versionAcknowledged() const { return version_acknowledged_; }
  const std::optional<std::string>& lastError() const { return last_error_; }
  bool wildcard() const { return wildcard_; }
  const std::set<std::string, std::less<>>& names() const { return names_; }
  size_t resourcesSent() const { return sent_.size(); }
  // One that the client asked for. Valid during the call.
  struct Shown {
    std::string_view name;
    std::string_view version;            // sent last; empty: there is none, or it was not sent yet
    const Resource* sent = nullptr;      // null: as `version`, or known by version only (from an earlier stream)
    const Resource* accepted = nullptr;  // the newest that the client acknowledged on this stream
    bool answered = true;                // it was sent, or said not to exist
    bool refused = false;                // for lastError()
    std::string_view refused_version = {};
  };
  void forEachShown(const std::function<void(const Shown&)>& visit) const;

 private:
  struct Sent {
    ResourcePtr resource;  // null: known by version only (from an earlier stream), or said not to exist
    std::string version;   // empty: said not to exist
    ResourcePtr accepted;  // the newest one that the client acknowledged
  };
  struct Outstanding {
    std::string nonce;
    std::string version;
    std::map<std::string, std::string> versions;  // name -> version of what the client has not accepted yet
  };
  using SentMap = std::map<std::string, Sent, std::less<>>;

  void takeInterest(const Request& request, bool first);
  void takeNames(const Request& request, bool first);
  void takeDeltaInterest(const Request& request, bool first);
  void takeVerdict(const Request& request, TimePoint now);
  void accept(const std::string& name, const std::string& version, TimePoint now);
  void refuse(const Outstanding& response, const std::string& error, TimePoint now);
  void noteNeeds(const Resource& resource, const Resource* before, TimePoint now);
  void knowFromEarlierStream(const Request& request);
  void forgetVersion(const std::string& name);
  void forgetWhatIsNotAskedFor();

  bool asksFor(std::string_view name) const;
  bool wildcardHas(const Resource& resource) const { return wildcard_ && !resource.api_listener; }
  ResourceMap visibleIn(const Snapshot& snapshot);
  ResourcePtr named(const Snapshot& snapshot, const std::string& name);
  ResourcePtr stillHeld(const std::string& name, const Sent& sent) const;
  void findHeld(const ResourceMap& visible, Gone gone);
  Response respond(const Snapshot& snapshot, std::vector<ResourcePtr> resources, std::vector<std::string> removed,
                   TimePoint now);
  std::optional<Response> completeSet(const Snapshot& snapshot, const ResourceMap& visible, TimePoint now);
  std::optional<Response> changes(const Snapshot& snapshot, const ResourceMap& visible, TimePoint now);
  std::vector<std::string> sayRemoved(const ResourceMap& visible);
  void markDirty(TimePoint now);
  void noteSettled();

  const ResourceType type_;
  const Variant variant_;
  bool started_ = false;
  bool wildcard_ = false;
  bool ever_named_ = false;  // an empty list no longer means "everything"
  std::set<std::string, std::less<>> names_;
  std::set<std::string> say_removed_;  // delta: unsubscribed beside a wildcard, the client waits for a word

  bool dirty_ = false;
  bool must_answer_ = false;  // even if nothing differs
  bool must_repeat_ = false;  // state of the world: all that is asked for, even what was sent
  std::optional<TimePoint> waiting_since_;
  SentMap sent_;
  ResourceMap held_;                     // sent, gone from the snapshot, not yet let go; null: known by version only
  std::deque<Outstanding> outstanding_;  // state of the world: at most one
  bool answered_ = false;                // the request at hand is an ACK or NACK of one of them
  std::map<std::string, TimePoint, std::less<>> unanswered_;  // sent for the first time, without a verdict
  std::set<std::string, std::less<>> absent_;                 // endpoints that nobody gives, sent empty
  std::deque<Need> new_needs_;
  std::map<std::string, std::string, std::less<>> refused_;  // name -> version

  uint64_t last_nonce_ = 0;
  std::string version_sent_;
  std::string version_acknowledged_;
  std::optional<std::string> last_error_;
};

}  // namespace sluice::control_plane
