// A subscription to a server that is polled (api_type REST): a POST with a DiscoveryRequest in JSON, answered by a
// DiscoveryResponse in JSON, or by 304 if nothing has changed. The request after an answer tells what became of it, as
// on a stream: the version that was accepted, the nonce, and error_detail if something was refused.
//
// The next request goes out `refresh_delay` and up to as much again after an answer or a failure, and at once when
// other names are wanted: then a request that is under way is given up, as its answer would not speak of them.
//
// The rules for resources are those of a state-of-the-world stream. A failure (no answer, another status, a body that
// cannot be read) ends what would be a stream; what was accepted goes on serving. Main thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "source/event/loop.h"
#include "source/xds/ads_client.h"
#include "source/xds/subscription_machine.h"

namespace sluice::xds {

// core.v3.ApiConfigSource with a cluster that is polled.
struct RestSource {
  std::string cluster;
  std::chrono::milliseconds refresh_delay{0};  // 1 ms at least
  std::chrono::milliseconds request_timeout{1000};
};

// One exchange with a server.
struct RestRequest {
  std::string cluster;
  std::string path;  // such as /v3/discovery:clusters
  std::string body;  // JSON
  std::chrono::milliseconds timeout{0};
};
struct RestAnswer {
  int status = 0;  // 0: there is none, `failure` says why
  std::string failure;
  std::string body;
};

class RestSubscription : private event::TurnTask {
 public:
  struct Options {
    TypeInfo type;
    RestSource server;
    envoy::config::core::v3::Node node;
    std::string source = {};                        // as in Update
    std::shared_ptr<const StoredType> stored = {};  // null: there is nothing
    std::chrono::milliseconds initial_fetch_timeout{15000};
  };
  // Asks a server. The answer never comes inside the call; to let go of the handle is to cancel.
  using Ask = std::function<std::shared_ptr<void>(RestRequest request, std::function<void(RestAnswer)> on_answer)>;
  // Reads a response in JSON.
  using Parse = std::function<absl::StatusOr<envoy::service::discovery::v3::DiscoveryResponse>(std::string_view json)>;
  using Log = std::function<void(const std::string&)>;

  // Watcher and loop outlive it. `random` gives any 64 bits.
  RestSubscription(Options options, Ask ask, Parse parse, ResourceWatcher& watcher, event::Loop& loop,
                   std::function<uint64_t()> random, Log log);
  ~RestSubscription() override;

  // It is asked for at the end of the loop's turn.
  void subscribe(std::string_view name, std::chrono::milliseconds fetch_timeout);
  void unsubscribe(std::string_view name);
  bool wants(std::string_view name) const { return machine_.wants(name); }
  bool wantsAny() const { return machine_.wantsAny(); }

  SubscriptionStats stats() const { return machine_.stats(); }
  // `connected`: the last request was answered.
  const StreamStats& streamStats() const { return stream_; }
  std::vector<Verdict> verdicts() const { return machine_.verdicts(); }

 private:
  void runAtTurnEnd() override { poll(); }
  void askAnew();
  void poll();
  void onAnswer(RestAnswer answer);
  absl::StatusOr<Response> read(const RestAnswer& answer) const;
  void take(Response response);
  void step();
  void fail(std::string why);
  void begin();
  void wait();
  void armDeadline();

  const Options options_;
  const Ask ask_;
  const Parse parse_;
  const std::function<uint64_t()> random_;
  const Log log_;
  event::Loop& loop_;
  SubscriptionMachine machine_;
  StreamStats stream_;
  bool ask_later_ = false;  // when what is being taken has been taken whole
  std::string unreadable_;  // why the last answer could not be read, for the server
  event::Timer poll_timer_;
  event::Timer deadline_timer_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::shared_ptr<void> asking_;  // null: no request is under way
};

}  // namespace sluice::xds
