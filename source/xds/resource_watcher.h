// What a subscription tells its consumer, and what the consumer answers. Main thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "source/event/timer.h"

namespace sluice::xds {

using event::TimePoint;

// Why one resource was refused. A resource may have several.
struct ResourceError {
  std::string name;        // empty: not about one resource; it refuses the whole response
  std::string field_path;  // empty: about the resource as a whole
  std::string rule;        // what is wrong and what to do
};

struct UpdatedResource {
  std::string name;
  std::string version;
  std::shared_ptr<const google::protobuf::Any> body;  // its type is the subscription's
};

// What one response changes. A large response comes in parts, between which the loop runs.
struct Update {
  std::string_view type_url;
  std::string_view source;                 // identity(Source) of where it comes from
  std::string_view version;                // the response's; delta: for people only
  std::vector<UpdatedResource> changed;    // added or modified
  std::vector<std::string> removed;        // gone, or known not to exist
  std::vector<ResourceError> rejected;     // refused before anybody looked inside; already in the NACK
  std::vector<ResourceError> failed;       // the server has an error of it: what is held stays; `rule` is the error
  std::vector<std::string_view> repeated;  // whose bytes are those already accepted; valid during the call
  bool more = false;                       // another part of the response follows
  bool stored = false;  // it is no response: nothing good has come, and this was taken before (StoredType)
};

// What an earlier process accepted of one type from one source: served when nothing has come of the server by `from`,
// until it has, and then in the place of what it sent first and was refused. Names in any order.
struct StoredType {
  struct Resource {
    std::string name;
    std::string version;
    std::shared_ptr<const google::protobuf::Any> body;
  };
  std::vector<Resource> resources;
  TimePoint from;
};

// Why a resource that was asked for is waited for no longer.
enum class WaitEnd : uint8_t {
  kTimeout,  // initial_fetch_timeout is over
  kRefused,  // what came for it was refused, or was an error of the server's
  kAbsent,   // the server has none
};

class ResourceWatcher {
 public:
  virtual ~ResourceWatcher() = default;

  // Checks and takes an update; called for each response, if it changes nothing too. A resource that the result names
  // is refused: its last accepted version stays, the others are taken. The verdict goes out at once, so this must not
  // wait for anything (warming comes later). May change the interest in any type.
  virtual std::vector<ResourceError> onUpdate(const Update& update) = 0;

  // These names ("*": the wildcard) were waited for and nothing is known of them: go on without. They stay subscribed
  // and may arrive later.
  virtual void onWaitOver(std::string_view source, const std::vector<std::string>& names, WaitEnd why) = 0;
};

enum class VerdictState : uint8_t {
  kRequested,     // asked for, no answer yet
  kAccepted,      // the version shown is the newest that was received
  kRejected,      // the newest was refused; the version shown (if any) goes on serving
  kDoesNotExist,  // the server said so
  kTimeout,       // no answer within initial_fetch_timeout
  kFailed,        // the server has an error of it; the version shown (if any) goes on serving
};

// What is known of one resource, for the admin pages (client_status and error_state of a config dump).
struct Verdict {
  std::string_view type_url;
  std::string_view source;  // as in Update
  std::string name;
  std::string version;                                // of `body`; empty if none was accepted
  std::shared_ptr<const google::protobuf::Any> body;  // what serves, as received; null if none
  VerdictState state = VerdictState::kRequested;
  std::string rejected_version;  // kRejected only
  std::string error;             // kRejected: field path and rule; kFailed, kDoesNotExist: what the server said
  bool stored = false;           // `body` is of an earlier process: the server has sent nothing good yet
  bool expires = false;          // `body` has a TTL
  TimePoint since;               // when `state` or `version` last changed
  TimePoint updated;             // when `body` came; the epoch if there is none
  TimePoint rejected_at;         // kRejected only: the last time
  std::shared_ptr<const google::protobuf::Any> rejected_body;  // kRejected only; null: it could not be read
};

// Of one type of one stream; the names are those of Envoy's subscription stats.
struct SubscriptionStats {
  uint64_t update_attempt = 0;      // requests sent, stream failures included
  uint64_t update_success = 0;      // responses accepted
  uint64_t update_failure = 0;      // streams that failed
  uint64_t update_rejected = 0;     // responses refused, in part or wholly
  uint64_t init_fetch_timeout = 0;  // waits that ended without an answer
  uint64_t config_reload = 0;       // responses that changed something
  TimePoint update_time;            // of the last accepted response; the epoch if there was none
  std::string version_text;         // last accepted
  uint64_t resources = 0;           // held now
};

}  // namespace sluice::xds
