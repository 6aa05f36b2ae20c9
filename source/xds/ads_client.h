// One xDS stream and the subscriptions on it: all types of the aggregated stream (ads_config), or a single type on a
// stream of its own (api_config_source GRPC / DELTA_GRPC).
//
// Owns the transport and one SubscriptionMachine per type; makes the stream again after a failure, with full jitter
// that starts over when a message arrives. ACKs go out before changes of interest, those in the order in which types
// were first added (which has to be the dependency order: clusters, endpoints, listeners, routes).
//
//   AdsClient ads({.variant = Variant::kDelta, .node = node}, std::move(transport), loop, random);
//   ads.addType({typeInfo(kClusterType)}, watcher);
//   ads.subscribe(kClusterType, kWildcard);
//   ads.start();
//
// Main thread. Watchers and the loop outlive it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/event/loop.h"
#include "source/xds/backoff.h"
#include "source/xds/resource_type.h"
#include "source/xds/serving_report.h"
#include "source/xds/subscription_machine.h"
#include "source/xds/transport.h"
#include "source/xds/wire.h"

namespace sluice::xds {

struct StreamStats {
  bool connected = false;         // control_plane.connected_state
  size_t server = 0;              // of several: to which the stream goes
  std::string identifier;         // control_plane.identifier, as last told by the server
  uint64_t pending_requests = 0;  // due and not yet taken by the transport
  uint64_t streams = 0;           // attempts to make one
  uint64_t failures = 0;          // streams that ended
  uint64_t bad_messages = 0;      // undecodable
  uint64_t unexpected_types = 0;  // responses of a type that nobody asked for, dropped
  std::string last_error;         // why the last stream ended; empty once a message arrived
};

class AdsClient : private TransportEvents, private event::TurnTask {
 public:
  struct Options {
    Variant variant = Variant::kSotw;
    envoy::config::core::v3::Node node;
    bool set_node_on_first_message_only = true;  // ApiConfigSource's field of that name
    std::string own_type;                        // the one type of a stream of its own; empty: aggregated
    std::string source = {};                     // as in Update
    // What an earlier process accepted of a type; empty: nothing is known of it.
    std::function<std::shared_ptr<const StoredType>(std::string_view type_url)> stored = {};
    Backoff::Options backoff = {};
  };
  struct TypeOptions {
    TypeInfo type;
    std::chrono::milliseconds initial_fetch_timeout{15000};
  };

  AdsClient(Options options, std::unique_ptr<Transport> transport, event::Loop& loop, std::function<uint64_t()> random);
  ~AdsClient() override;

  // Declares a type, once; its watcher gets every update of it.
  void addType(TypeOptions options, ResourceWatcher& watcher);
  // Interest in a type that was added. It goes out at the end of the loop's turn, so that what one update causes is one
  // request.
  void subscribe(std::string_view type_url, std::string_view name,
                 std::optional<std::chrono::milliseconds> fetch_timeout = {});
  void unsubscribe(std::string_view type_url, std::string_view name);
  void setInterest(std::string_view type_url, const std::vector<std::string>& names);

  // Holds back changes of a type's interest (not its ACKs) for as long as the object lives, which must not be longer
  // than the client. They nest.
  class Pause {
   public:
    Pause(AdsClient& client, SubscriptionMachine& machine) : client_(client), machine_(machine) { machine_.pause(); }
    ~Pause() {
      machine_.resume();
      client_.scheduleFlush();
    }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    AdsClient& client_;
    SubscriptionMachine& machine_;
  };
  std::unique_ptr<Pause> pause(std::string_view type_url);

  // Whether anything of a type is wanted.
  bool wantsAny(std::string_view type_url) const { return get(type_url).wantsAny(); }
  bool wants(std::string_view type_url, std::string_view name) const { return get(type_url).wants(name); }

  // Makes the stream, and makes it again for ever. A stream of one type needs that type by then.
  void start();
  // A stream to the same server stands: if this one is waiting for its next attempt, it tries now.
  void retryNow();
  // Called when a stream stands that was made by the client itself, not by retryNow(): so streams of one server do not
  // wake each other in a circle.
  void onUp(std::function<void()> up) { up_ = std::move(up); }

  // Called when a response was taken of a server that takes reports of what serves.
  void onTaken(std::function<void()> taken) { taken_ = std::move(taken); }
  // Tells such a server what of its resources waits, of all that there is; another one nothing. Not while a large
  // response is being taken: onTaken() follows. What was told already is not told again.
  void report(const std::vector<ServingReport::Waiting>& waiting);

  // Called with what an operator should know: a stream that ended, a message that was dropped.
  void onLog(std::function<void(const std::string&)> log) { log_ = std::move(log); }

  StreamStats streamStats() const;
  SubscriptionStats stats(std::string_view type_url) const;
  std::vector<Verdict> verdicts(std::string_view type_url) const;
  std::vector<std::string> types() const;

 private:
  void onConnected() override;
  void onMessage(std::string_view bytes) override;
  void onWritable() override { flush(); }
  void onClosed(const absl::Status& status) override;
  void runAtTurnEnd() override;

  SubscriptionMachine* find(std::string_view type_url) const;
  SubscriptionMachine& get(std::string_view type_url) const;
  void connect();
  void scheduleFlush() { loop_.atTurnEnd(*this); }
  void flush();
  bool sendNext();
  void send(SubscriptionMachine& machine, Request request);
  void dispatch(Response response);
  void continueWork();
  void takeWaiting();
  bool busy() const;
  void collectAcks(SubscriptionMachine& machine);
  void armDeadlines();
  void onDeadlines();
  void tellTaken();
  void log(const std::string& line) const;

  const Options options_;
  const std::shared_ptr<const envoy::config::core::v3::Node> node_;
  const WireEncoder& encoder_;
  event::Loop& loop_;
  Backoff backoff_;
  std::function<void(const std::string&)> log_;
  std::function<void()> up_;
  std::function<void()> taken_;
  std::vector<std::unique_ptr<SubscriptionMachine>> machines_;  // in the order of addType
  std::vector<SubscriptionMachine*> ack_order_;                 // one item for each ACK to send
  std::deque<Response> waiting_;                                // until a large one has been taken
  StreamStats stats_;
  std::optional<size_t> last_server_;  // to which the last stream went
  bool node_sent_ = false;
  // Of the present stream.
  bool takes_reports_ = false;
  std::optional<ServingReport> told_;
  std::string report_;        // bytes to send; empty: none
  bool woken_ = false;        // by retryNow()
  bool work_posted_ = false;  // the next part of a large response
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  event::Timer reconnect_timer_;
  event::Timer deadline_timer_;
  std::unique_ptr<Transport> transport_;  // last: its events end first
};

}  // namespace sluice::xds
