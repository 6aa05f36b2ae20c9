#include "source/control_plane/discovery_server.h"

#include <algorithm>
#include <utility>

#include "source/base/text.h"
#include "source/xds/resource_type.h"

namespace sluice::control_plane {
namespace {

constexpr std::string_view kLog = "discovery";

xds::Variant wireVariant(Variant variant) {
  return variant == Variant::kDelta ? xds::Variant::kDelta : xds::Variant::kSotw;
}

void flatten(const google::protobuf::Struct& from, const std::string& prefix, std::map<std::string, std::string>& to);

void flattenValue(const google::protobuf::Value& value, const std::string& path,
                  std::map<std::string, std::string>& to) {
  switch (value.kind_case()) {
    case google::protobuf::Value::kStringValue:
      to[path] = value.string_value();
      break;
    case google::protobuf::Value::kBoolValue:
      to[path] = value.bool_value() ? "true" : "false";
      break;
    case google::protobuf::Value::kNumberValue:
      to[path] = base::strCat(value.number_value());
      break;
    case google::protobuf::Value::kStructValue:
      flatten(value.struct_value(), path + ".", to);
      break;
    default:
      break;  // lists and nulls select nothing
  }
}

void flatten(const google::protobuf::Struct& from, const std::string& prefix, std::map<std::string, std::string>& to) {
  for (const auto& [key, value] : from.fields()) flattenValue(value, prefix + key, to);
}

std::string userAgentOf(const envoy::config::core::v3::Node& node) {
  if (!node.user_agent_version().empty()) return base::strCat(node.user_agent_name(), " ", node.user_agent_version());
  if (!node.has_user_agent_build_version()) return node.user_agent_name();
  const auto& version = node.user_agent_build_version().version();
  return base::strCat(node.user_agent_name(), " ", version.major_number(), ".", version.minor_number(), ".",
                      version.patch());
}

Node nodeFrom(const envoy::config::core::v3::Node& message) {
  Node node{.id = message.id(), .cluster = message.cluster(), .metadata = {}, .user_agent = userAgentOf(message)};
  flatten(message.metadata(), "", node.metadata);
  return node;
}

Request requestFrom(xds::Request request, ResourceType type) {
  Request result{.type = type, .nonce = std::move(request.response_nonce)};
  if (request.error) result.error = std::move(request.error->message);
  result.version = std::move(request.version);
  result.names = std::move(request.names);
  result.subscribe = std::move(request.subscribe);
  result.unsubscribe = std::move(request.unsubscribe);
  result.initial_versions = std::move(request.initial_versions);
  return result;
}

xds::Response wireForm(Response response, const std::string& identifier) {
  xds::Response result;
  result.type_url = std::string(typeUrl(response.type));
  result.version = std::move(response.version);
  result.nonce = std::move(response.nonce);
  result.removed = std::move(response.removed);
  result.control_plane = identifier;
  result.resources.reserve(response.resources.size());
  for (const ResourcePtr& resource : response.resources) {
    auto body = std::make_shared<google::protobuf::Any>();
    body->set_type_url(result.type_url);
    body->set_value(resource->bytes);
    result.resources.push_back({.name = resource->name, .version = resource->version, .body = std::move(body)});
  }
  return result;
}

// "10.0.0.1:5" and "10.0.0.1:6 (spiffe://x)" without the port, which differs for each connection of a process.
std::string hostOf(const std::string& address) {
  const size_t who = std::min(address.find(" ("), address.size());
  const size_t colon = address.rfind(':', who);
  if (address.starts_with("unix:") || colon == std::string::npos) return address;
  return address.substr(0, colon) + address.substr(who);
}

TypeStatus typeStatus(const Subscription& subscription) {
  return {.type = subscription.type(),
          .version_sent = subscription.versionSent(),
          .version_acknowledged = subscription.versionAcknowledged(),
          .error = subscription.lastError(),
          .resources = subscription.resourcesSent(),
          .up_to_date = subscription.settled() && !subscription.holdsRemovals() && !subscription.refused()};
}

// Until its first report nothing is known of what such a client serves.
bool willReport(const envoy::config::core::v3::Node& node) {
  const auto& features = node.client_features();
  return std::find(features.begin(), features.end(), xds::kReportsServing) != features.end();
}

// Whether the client took the last response of the type, whatever it made of it.
bool tookAll(const Subscription& subscription, const std::optional<xds::ServingReport>& report) {
  if (!report) return false;
  const auto taken = report->taken.find(std::string(xds::typeName(typeUrl(subscription.type()))));
  return (taken == report->taken.end() ? std::string() : taken->second) == subscription.lastNonce();
}

}  // namespace

std::string_view wordOf(NodeState state) {
  switch (state) {
    case NodeState::kServes:
      return "serves";
    case NodeState::kWarming:
      return "warming";
    case NodeState::kRefuses:
      return "refuses";
    case NodeState::kUnanswered:
      return "unanswered";
    case NodeState::kNothing:
      return "nothing";
  }
  return "";
}

// A client process: what its streams have in common.
struct DiscoveryStream::Process {
  Process(DiscoveryServer& server, Node who, std::shared_ptr<const envoy::config::core::v3::Node> as_told)
      : node(std::move(who)),
        as_told(std::move(as_told)),
        silence(server.timers_, [this, &server] { server.pump(*this); }) {}

  const Node node;
  const std::shared_ptr<const envoy::config::core::v3::Node> as_told;  // null: it told nothing
  Proxy proxy;
  std::string problem;
  std::vector<DiscoveryStream*> streams;  // borrowed
  event::Timer silence;                   // when additions go on without an answer
};

std::optional<StreamKind> streamKindOf(std::string_view method) {
  for (Variant variant : {Variant::kStateOfTheWorld, Variant::kDelta}) {
    if (method == xds::aggregatedMethod(wireVariant(variant))) return StreamKind{variant, std::nullopt};
    for (ResourceType type : kResourceTypes) {
      if (method == xds::typeInfo(typeUrl(type)).ownMethod(wireVariant(variant))) return StreamKind{variant, type};
    }
  }
  return std::nullopt;
}

// --- DiscoveryStream -----------------------------------------------------------------------------------------------

DiscoveryStream::DiscoveryStream(DiscoveryServer& server, StreamKind kind, std::string address, MessageWriter& writer)
    : server_(server), kind_(kind), address_(std::move(address)), connected_since_(server.clock_()), writer_(writer) {
  server_.streams_.push_back(this);
}

DiscoveryStream::~DiscoveryStream() {
  std::erase(server_.streams_, this);
  if (process_ == nullptr) return;
  std::erase(process_->streams, this);
  server_.logger_.info(kLog, "node '", process_->node.id, "' at ", address_, " went away");
  state_.reset();
  if (!process_->streams.empty()) server_.pump(*process_);  // what this stream held up may go on
}

absl::Status DiscoveryStream::onMessage(std::string_view bytes) {
  absl::StatusOr<xds::Request> request = xds::wireEncoder(wireVariant(kind_.variant)).decodeRequest(bytes);
  if (!request.ok()) return request.status();
  if (request->type_url == xds::kServingReportType) return takeReport(*request);
  if (process_ == nullptr) {
    if (absl::Status status = identify(*request); !status.ok()) return status;
  }
  const std::optional<ResourceType> type = request->type_url.empty() ? kind_.type : resourceTypeOf(request->type_url);
  if (request->type_url.empty() && !type) {
    return absl::InvalidArgumentError("type_url is empty; a request on the aggregated stream has to name its type");
  }
  if (!type || (kind_.type && *type != *kind_.type)) {
    if (!std::exchange(warned_of_type_, true)) {
      server_.logger_.warning(kLog, "node '", process_->node.id, "' at ", address_, " asks for ", request->type_url,
                              ", which is not served here; such requests get no answer");
    }
    return absl::OkStatus();
  }
  if (*type == ResourceType::kSecret && !server_.options_.serve_secrets) {
    if (!std::exchange(warned_of_secrets_, true)) {
      server_.logger_.error(kLog, "node '", process_->node.id, "' at ", address_,
                            " asks for secrets, which are not served on an address that is open to the network without "
                            "TLS; give --tls-certificate, --tls-key and --tls-client-ca");
    }
    return absl::OkStatus();
  }
  if (request->error) {
    server_.logger_.warning(kLog, "node '", process_->node.id, "' at ", address_, " refused ", typeWord(*type), ": ",
                            request->error->message);
  }
  state_->onRequest(requestFrom(*std::move(request), *type), server_.timers_.now());
  server_.pump(*process_);
  return absl::OkStatus();
}

absl::Status DiscoveryStream::identify(const xds::Request& request) {
  process_ = server_.processFor(*this, request);
  process_->streams.push_back(this);
  state_.emplace(kind_.variant, process_->proxy);
  server_.logger_.info(kLog, "node '", process_->node.id, "' (cluster '", process_->node.cluster, "') connected from ",
                       address_);
  if (process_->proxy.snapshot() == nullptr) server_.giveSnapshot(*process_);
  return absl::OkStatus();
}

// It changes nothing that is sent.
absl::Status DiscoveryStream::takeReport(const xds::Request& request) {
  if (process_ == nullptr) return absl::InvalidArgumentError("a report of what serves is no first request");
  std::optional<xds::ServingReport> report = xds::reportOf(request);
  if (!report) return absl::InvalidArgumentError("a report of what serves is not well-formed");
  report_ = std::move(report);
  return absl::OkStatus();
}

void DiscoveryStream::onWritten() {
  writing_ = false;
  if (process_ != nullptr) server_.pump(*process_);
}

// True if another stream of the process may go on now: there was nothing to write where it waited for this one.
bool DiscoveryStream::writeNext() {
  if (writing_) return false;
  const size_t dirty = state_->dirtyCount();
  std::optional<Response> response = state_->next(server_.timers_.now());
  if (!response) return state_->dirtyCount() != dirty;
  server_.logger_.debug(kLog, "to node '", process_->node.id, "': ", typeWord(response->type), " version ",
                        response->version, ", ", response->resources.size(), " resources, ", response->removed.size(),
                        " removed");
  writing_ = true;
  writer_.write(
      xds::wireEncoder(wireVariant(kind_.variant)).encode(wireForm(*std::move(response), server_.identifier_)));
  return state_->dirtyCount() != dirty;
}

// --- DiscoveryServer -----------------------------------------------------------------------------------------------

DiscoveryServer::DiscoveryServer(SnapshotSource& source, event::TimerQueue& timers, observability::Logger& logger,
                                 WallClock clock, Options options)
    : source_(source),
      timers_(timers),
      logger_(logger),
      clock_(std::move(clock)),
      options_(std::move(options)),
      identifier_(base::strCat(options_.identifier, xds::kTakesReports)) {}

std::unique_ptr<DiscoveryStream> DiscoveryServer::open(StreamKind kind, std::string address, MessageWriter& writer) {
  return std::unique_ptr<DiscoveryStream>(new DiscoveryStream(*this, kind, std::move(address), writer));
}

// Streams of single types that come from one host and name one node belong to one process, which may have a connection
// for each; should they be several processes, their order is kept all the more. An aggregated stream is a process of
// its own: several clients may give the same node.
std::shared_ptr<DiscoveryStream::Process> DiscoveryServer::processFor(const DiscoveryStream& stream,
                                                                      const xds::Request& first) {
  Node node = first.node == nullptr ? Node{} : nodeFrom(*first.node);
  if (!stream.kind_.type) return std::make_shared<DiscoveryStream::Process>(*this, std::move(node), first.node);
  std::erase_if(shared_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<DiscoveryStream::Process>& known = shared_[ProcessKey(hostOf(stream.address_), node.id, node.cluster)];
  std::shared_ptr<DiscoveryStream::Process> process = known.lock();
  if (process == nullptr || process->node != node) {
    process = std::make_shared<DiscoveryStream::Process>(*this, std::move(node), first.node);
    known = process;
  }
  return process;
}

void DiscoveryServer::giveSnapshot(DiscoveryStream::Process& process) {
  absl::StatusOr<SnapshotPtr> snapshot = source_.snapshotFor(process.node);
  if (!snapshot.ok()) {
    process.problem = std::string(snapshot.status().message());
    logger_.error(kLog, "node '", process.node.id, "' ",
                  process.proxy.snapshot() == nullptr ? "gets nothing: " : "keeps what it has: ", process.problem);
    return;
  }
  process.problem.clear();
  process.proxy.setSnapshot(*std::move(snapshot), timers_.now());
}

void DiscoveryServer::refresh() {
  std::vector<std::shared_ptr<DiscoveryStream::Process>> processes;
  for (const DiscoveryStream* stream : streams_) {
    if (stream->process_ == nullptr) continue;
    if (std::find(processes.begin(), processes.end(), stream->process_) == processes.end()) {
      processes.push_back(stream->process_);
    }
  }
  for (const auto& process : processes) {
    giveSnapshot(*process);
    pump(*process);
  }
}

void DiscoveryServer::pump(DiscoveryStream::Process& process) {
  for (bool again = true; again;) {
    again = false;
    for (DiscoveryStream* stream : process.streams) again = stream->writeNext() || again;
  }
  if (const auto deadline = process.proxy.deadline(timers_.now())) {
    process.silence.armAt(*deadline);
  } else {
    process.silence.cancel();
  }
}

std::vector<NodeStatus> DiscoveryServer::status() const {
  std::vector<NodeStatus> all;
  std::map<const DiscoveryStream::Process*, size_t> places;
  for (const DiscoveryStream* stream : streams_) {
    if (stream->process_ == nullptr) continue;
    const DiscoveryStream::Process& process = *stream->process_;
    const auto [place, first] = places.try_emplace(&process, all.size());
    if (first) {
      all.push_back({.node = process.node,
                     .address = stream->address_,
                     .connected_since = stream->connected_since_,
                     .variant = stream->kind_.variant,
                     .aggregated = !stream->kind_.type,
                     .version = process.proxy.snapshot() == nullptr ? "" : process.proxy.snapshot()->version(),
                     .problem = process.problem,
                     .up_to_date = process.problem.empty() && process.proxy.upToDate()});
    }
    addStream(*stream, all[place->second]);
  }
  return all;
}

void DiscoveryServer::forEachClient(
    const std::function<void(const envoy::config::core::v3::Node& node, const Subscriptions&)>& visit) const {
  for (const DiscoveryStream* stream : streams_) {
    // Each process once, with its first stream.
    if (stream->process_ == nullptr || stream->process_->streams.front() != stream) continue;
    Subscriptions subscriptions;
    for (const DiscoveryStream* own : stream->process_->streams) {
      for (ResourceType type : kResourceTypes) {
        const Subscription& subscription = own->state_->subscription(type);
        if (subscription.started()) subscriptions.push_back(&subscription);
      }
    }
    const auto& node = stream->process_->as_told;
    visit(node == nullptr ? envoy::config::core::v3::Node::default_instance() : *node, subscriptions);
  }
}

// The worst that is known of any stream counts.
void DiscoveryServer::addStream(const DiscoveryStream& stream, NodeStatus& node) {
  const auto worsen = [&node](NodeState state) { node.state = std::max(node.state, state); };
  if (!node.problem.empty() || node.version.empty()) worsen(NodeState::kNothing);
  const auto& as_told = stream.process_->as_told;
  const bool will_report = as_told != nullptr && willReport(*as_told);
  for (ResourceType type : kResourceTypes) {
    const Subscription& subscription = stream.state_->subscription(type);
    if (!subscription.started()) continue;
    node.types.push_back(typeStatus(subscription));
    if (subscription.refused()) worsen(NodeState::kRefuses);
    const bool taken = !will_report || tookAll(subscription, stream.report_);
    if (!subscription.settled() || !taken) worsen(NodeState::kUnanswered);
    if (subscription.holdsRemovals()) worsen(NodeState::kWarming);
  }
  if (!stream.report_) return;
  node.reports = true;
  node.waiting_count += stream.report_->waiting_count;
  node.waiting.insert(node.waiting.end(), stream.report_->waiting.begin(), stream.report_->waiting.end());
  if (stream.report_->waiting_count > 0) worsen(NodeState::kWarming);
}

}  // namespace sluice::control_plane
