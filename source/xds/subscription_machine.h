// The client's side of one resource type on one stream, as pure logic: no I/O, no gRPC, no clock. What comes in are
// changes of interest, stream events, responses and the time; what goes out are requests in neutral form, pulled by
// whoever owns the stream, and updates for one ResourceWatcher.
//
// State-of-the-world and delta run through the same code; they differ in which fields of a request are filled and in
// what a missing resource means. What was accepted outlives streams: it serves while the server is away.
//
// Main thread. The watcher must outlive the machine. Rules: xDS protocol, "Streaming gRPC subscriptions".
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/xds/resource_type.h"
#include "source/xds/resource_watcher.h"
#include "source/xds/wire.h"

namespace sluice::xds {

class SubscriptionMachine {
 public:
  struct Options {
    TypeInfo type;
    Variant variant = Variant::kSotw;
    std::chrono::milliseconds initial_fetch_timeout{15000};  // of each name; 0: wait for ever
    std::string source = {};                                 // as in Update
    std::shared_ptr<const StoredType> stored = {};           // null: there is nothing
  };
  // So many resources are handed on at once, unless their type is taken in one part.
  static constexpr size_t kPart = 64;
  // What was refused and comes again unchanged is looked at again so much later, twice as late each time.
  static constexpr std::chrono::milliseconds kFirstRetry{1000};
  static constexpr std::chrono::milliseconds kLastRetry{60000};
  // How much longer is waited for what an empty response may not have been the answer to.
  static constexpr std::chrono::milliseconds kDoubt{1000};
  // So long a server that is not known to be away has to say something of a name before what is stored of it serves.
  static constexpr std::chrono::milliseconds kPatience{1000};
  // Under which a delta server is told of what is held and did not come of it, so that it tells what it has not.
  static constexpr std::string_view kForeignVersion = "not of this server";

  SubscriptionMachine(Options options, ResourceWatcher& watcher);
  SubscriptionMachine(const SubscriptionMachine&) = delete;
  SubscriptionMachine& operator=(const SubscriptionMachine&) = delete;

  // Interest: names, or kWildcard. Repeats are harmless. Unsubscribing forgets what was held (the consumer keeps its
  // own reference), except while a wildcard may still own it. `fetch_timeout` stands in for initial_fetch_timeout.
  void subscribe(std::string_view name, TimePoint now, std::optional<std::chrono::milliseconds> fetch_timeout = {});
  void unsubscribe(std::string_view name);
  // Subscribes and unsubscribes so that exactly `names` are wanted.
  void setInterest(const std::vector<std::string>& names, TimePoint now);
  bool wants(std::string_view name) const;
  bool wantsAny() const;

  // While paused (counted) no plain change of interest goes out, so that it goes out in one request. ACKs do.
  void pause() { ++paused_; }
  void resume() { --paused_; }

  // The stream was made; if not to the `same_server`, what is held is under no version of its.
  void onStreamStart(TimePoint now, bool same_server = true);
  void onStreamEnd();
  // Takes a response of this type, while not busy. False: none was asked for on this stream, and it was dropped.
  // Content that was refused already waits until it is looked at again, so that a server that answers each NACK with
  // the same is not asked in a circle; other content is taken at once.
  bool onResponse(Response response, TimePoint now);
  // Part of a large response is still to be taken by step().
  bool busy() const { return work_ != nullptr; }
  void step(TimePoint now);

  // Requests to send, ACKs first. take*() may be called only if the matching *Due() is true.
  bool ackDue() const { return stream_up_ && !acks_.empty(); }
  size_t acksDue() const { return stream_up_ ? acks_.size() : 0; }
  bool interestDue() const;
  Request takeAck();
  Request takeInterest();
  // Of a source that is polled (state of the world): all that is wanted, with the answer to what came last. What comes
  // next is the answer to this; so a poll that is under way when interest changes is to be given up.
  Request takePoll();

  // Time: when onTime has to be called next (TTLs, fetch timeouts, what waits after a refusal), if at all.
  std::optional<TimePoint> nextDeadline() const;
  void onTime(TimePoint now);

  const TypeInfo& type() const { return options_.type; }
  // Of the last response of the present stream; empty: there was none.
  const std::string& nonce() const { return nonce_; }
  // Whether something of that name is accepted.
  bool holds(std::string_view name) const;
  std::vector<Verdict> verdicts() const;
  SubscriptionStats stats() const;
  void countFailure() { ++stats_.update_failure; }
  void countAttempt() { ++stats_.update_attempt; }

 private:
  struct Entry {
    bool subscribed = false;  // by name
    std::shared_ptr<const google::protobuf::Any> body;
    std::string version;
    VerdictState state = VerdictState::kRequested;
    std::string rejected_version;
    std::string error;
    bool stored = false;
    bool foreign = false;                   // of another server
    TimePoint since, updated, rejected_at;  // as in Verdict
    std::shared_ptr<const google::protobuf::Any> rejected_body;
    std::optional<TimePoint> fetch_deadline;
    std::optional<TimePoint> expiry;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  struct Ack {
    std::string nonce;
    std::string version;  // state-of-the-world: what was accepted as of this response
    std::optional<ErrorDetail> error;
  };

  // One response, sorted out.
  struct Plan {
    Update update;
    std::vector<const Resource*> sources;  // parallel to update.changed
    std::vector<std::pair<std::string, const Resource*>> unchanged;
    std::vector<std::pair<std::string, const Resource*>> heartbeats;
    std::set<std::string, std::less<>> present;              // every name that the response speaks of
    std::set<std::string, std::less<>> bad;                  // the names of update.rejected
    std::map<std::string, std::string, std::less<>> absent;  // why the server has none, where it says so
    bool refused = false;                                    // as a whole
    bool unnamed = false;                                    // a resource could not be told by name
    bool only_heartbeats = false;

    void refuse(std::string name, std::string field_path, std::string rule);
  };
  // A response that is being taken.
  struct Work {
    Response response;
    Plan plan;
    bool stored = false;  // it is none of the server's
    size_t next = 0;      // of plan.update.changed
    std::vector<ResourceError> errors;
    uint64_t stream = 0;
  };
  // The content that was refused last.
  struct Refusal {
    uint64_t content = 0;
    std::string text;
    std::chrono::milliseconds wait{0};
    TimePoint again;
  };

  bool delta() const { return options_.variant == Variant::kDelta; }
  bool isHeartbeat(const Resource& resource, const Response& response) const;
  // The name of a resource; empty after noting an error.
  std::string nameOf(const Resource& resource, size_t index, Plan& plan) const;
  Response byAliases(Response response);
  Plan makePlan(const Response& response) const;
  void sortResource(const Resource& resource, std::string name, const Response& response, Plan& plan) const;
  void dropContradictions(const Response& response, Plan& plan) const;
  void sortFailed(const Response& response, Plan& plan) const;
  void findRemoved(const Response& response, Plan& plan) const;
  const std::string& versionOf(const Resource& resource, const Response& response) const;

  void begin(Response response, TimePoint now, bool stored = false);
  void wantStored(TimePoint now);
  void takeStored(TimePoint now, bool only_refused = false);
  void endStored(TimePoint now);
  Update nextPart();
  void finish(TimePoint now);
  void finishStored();
  void rememberRefusal(const Response& response, std::string text, TimePoint now);
  void answerHeld();
  void tellWaitsOver();
  void apply(const Response& response, const Plan& plan, const std::vector<ResourceError>& errors, TimePoint now,
             bool stored);
  void accept(std::string_view name, const UpdatedResource& resource, const Resource& source, TimePoint now,
              bool stored = false);
  void reject(std::string_view name, const UpdatedResource& resource, std::string_view error, TimePoint now,
              bool stored = false);
  void fail(const ResourceError& failed, TimePoint now);
  void remove(std::string_view name, TimePoint now);
  void forgetMissing(const Plan& plan);
  void queueAck(const std::string& nonce, std::string error);

  void setFetchDeadline(std::string_view name, std::optional<TimePoint>& slot, std::optional<TimePoint> deadline);
  void setExpiry(const std::string& name, Entry& entry, const Resource& source, TimePoint now);
  void clearExpiry(const std::string& name, Entry& entry);
  void setState(Entry& entry, VerdictState state, TimePoint now);
  void erase(Entries::iterator entry);

  void markSubscribed(std::string_view name);
  void markUnsubscribed(std::string_view name);
  void forgetRejections(TimePoint now);
  void becomeForeign();
  void fillFirstDelta(Request& request);
  void fillDeltaChange(Request& request);
  void fillSotwNames(Request& request);
  void doubtLeftOut();
  void doubtAbsence(const Response& response, TimePoint now);
  void expire(TimePoint now);
  void endWaits(TimePoint now);

  const Options options_;
  ResourceWatcher& watcher_;

  // Outlives streams.
  Entries entries_;
  std::map<std::string, std::string, std::less<>> alias_of_;  // by a name that was asked for: whose it is
  bool wildcard_ = false;
  std::optional<TimePoint> wildcard_deadline_;
  std::string version_;  // state-of-the-world: last accepted
  std::set<std::pair<TimePoint, std::string>> fetch_deadlines_;
  std::set<std::pair<TimePoint, std::string>> expiries_;
  SubscriptionStats stats_;
  int paused_ = 0;
  bool wildcard_waits_ = false;
  std::unique_ptr<Work> work_;
  std::shared_ptr<const StoredType> stored_;               // null: there is nothing, or the server has spoken
  std::optional<TimePoint> stored_at_;                     // when it is looked for what is wanted
  std::vector<std::string> waits_refused_, waits_absent_;  // to be told

  // Of the present stream.
  uint64_t stream_ = 0;        // which
  uint64_t server_since_ = 0;  // the first stream to its server
  bool stream_up_ = false;
  bool away_ = false;              // the last stream ended, or could not be made
  bool requested_ = false;         // a request went out
  bool named_ = false;             // a name went out: an empty list means "nothing" from then on
  bool legacy_wildcard_ = false;   // the empty first request asked for everything
  bool interest_changed_ = false;  // state-of-the-world
  std::string nonce_;              // of the last response
  std::deque<Ack> acks_;
  std::optional<Refusal> refusal_;
  std::optional<Response> held_;                // has the refused content
  std::set<std::string, std::less<>> on_wire_;  // what the server believes we want
  std::set<std::string, std::less<>> to_subscribe_;
  std::set<std::string, std::less<>> to_unsubscribe_;
  std::set<std::string, std::less<>> renewed_;  // state-of-the-world: given up and wanted again since the last request
  std::vector<std::string> left_out_;           // state-of-the-world: by the requests since the last response
  std::set<std::string, std::less<>> asked_since_;  // state-of-the-world: first asked for since the last response
};

}  // namespace sluice::xds
