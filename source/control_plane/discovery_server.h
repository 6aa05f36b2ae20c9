// The discovery server without sockets: it reads and writes the bytes of discovery messages.
//
// A transport opens a DiscoveryStream for each call and passes messages on; the server answers through MessageWriter,
// one message at a time: it computes the next one only when the writer is ready for it. Nothing is locked: all of it
// belongs to the main loop's thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "source/control_plane/served_stream.h"
#include "source/control_plane/snapshot_source.h"
#include "source/control_plane/stream_state.h"
#include "source/event/timer.h"
#include "source/observability/log.h"
#include "source/xds/serving_report.h"
#include "source/xds/wire.h"

namespace sluice::control_plane {

// What a gRPC method means to us.
struct StreamKind {
  Variant variant;
  std::optional<ResourceType> type;  // nullopt: the aggregated stream
};
// "/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters" and its like; nullopt for any other.
std::optional<StreamKind> streamKindOf(std::string_view method);

struct TypeStatus {
  ResourceType type;
  std::string version_sent;
  std::string version_acknowledged;
  std::optional<std::string> error;  // the last refusal that still holds
  size_t resources = 0;
  bool up_to_date = false;
};

// What a node does with the newest that it is to have; the later the worse.
enum class NodeState : uint8_t {
  kServes,      // all of it; of a node that reports nothing: all was acknowledged
  kWarming,     // all was acknowledged, and some of it waits, or something old is still to be removed
  kRefuses,     // there is nothing left to send, and some of it was refused
  kUnanswered,  // something is on its way there, or its answer is
  kNothing,     // it gets nothing new: see `problem`
};
// "serves", "warming", "refuses", "unanswered", "nothing".
std::string_view wordOf(NodeState state);

struct NodeStatus {
  Node node;
  std::string address;
  std::chrono::system_clock::time_point connected_since;
  Variant variant;
  bool aggregated = false;
  std::string version;      // of the snapshot that it is to have; empty: none
  std::string problem;      // why it has none, or only an older one
  bool up_to_date = false;  // everything sent and acknowledged
  NodeState state = NodeState::kServes;
  bool reports = false;  // it tells what serves
  std::vector<xds::ServingReport::Waiting> waiting = {};
  uint64_t waiting_count = 0;     // of which `waiting` has the first
  std::vector<TypeStatus> types;  // those that it asked for
};

class DiscoveryServer;

// One call. Destroying it ends it.
class DiscoveryStream final : public ServedStream {
 public:
  ~DiscoveryStream() override;
  DiscoveryStream(const DiscoveryStream&) = delete;
  DiscoveryStream& operator=(const DiscoveryStream&) = delete;

  // InvalidArgument: not such a message, or a first one without a node.
  absl::Status onMessage(std::string_view bytes) override;
  void onWritten() override;

 private:
  friend class DiscoveryServer;
  struct Process;

  DiscoveryStream(DiscoveryServer& server, StreamKind kind, std::string address, MessageWriter& writer);
  absl::Status identify(const xds::Request& request);
  absl::Status takeReport(const xds::Request& request);
  bool writeNext();

  DiscoveryServer& server_;
  const StreamKind kind_;
  const std::string address_;
  const std::chrono::system_clock::time_point connected_since_;
  MessageWriter& writer_;
  std::shared_ptr<Process> process_;  // null until the first message said who asks
  std::optional<StreamState> state_;
  std::optional<xds::ServingReport> report_;  // the last
  bool writing_ = false;
  bool warned_of_type_ = false;
  bool warned_of_secrets_ = false;
};

class DiscoveryServer {
 public:
  using WallClock = std::function<std::chrono::system_clock::time_point()>;

  struct Options {
    std::string identifier;     // goes out as control_plane.identifier, with xds::kTakesReports
    bool serve_secrets = true;  // false: requests for them get no answer
  };

  // All outlive the server, which outlives its streams.
  DiscoveryServer(SnapshotSource& source, event::TimerQueue& timers, observability::Logger& logger, WallClock clock,
                  Options options);

  std::unique_ptr<DiscoveryStream> open(StreamKind kind, std::string address, MessageWriter& writer);

  // The source has something new: every connected node is compared with it.
  void refresh();

  std::vector<NodeStatus> status() const;

  // Calls `visit` with each client as it told of itself, and with what it asks for; valid during the call.
  using Subscriptions = std::vector<const Subscription*>;
  void forEachClient(
      const std::function<void(const envoy::config::core::v3::Node& node, const Subscriptions&)>& visit) const;

 private:
  friend class DiscoveryStream;
  using ProcessKey = std::tuple<std::string, std::string, std::string>;

  static void addStream(const DiscoveryStream& stream, NodeStatus& node);
  std::shared_ptr<DiscoveryStream::Process> processFor(const DiscoveryStream& stream, const xds::Request& first);
  void giveSnapshot(DiscoveryStream::Process& process);
  void pump(DiscoveryStream::Process& process);

  SnapshotSource& source_;
  event::TimerQueue& timers_;
  observability::Logger& logger_;
  const WallClock clock_;
  const Options options_;
  const std::string identifier_;
  std::vector<DiscoveryStream*> streams_;                                 // borrowed; in the order of opening
  std::map<ProcessKey, std::weak_ptr<DiscoveryStream::Process>> shared_;  // processes on streams of single types
};

}  // namespace sluice::control_plane
