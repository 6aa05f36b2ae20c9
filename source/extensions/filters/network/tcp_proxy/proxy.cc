#include "source/extensions/filters/network/tcp_proxy/proxy.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "source/base/text.h"
#include "source/extensions/filters/network/tcp_proxy/tunnel.h"
#include "source/stream/object_types.h"
#include "source/upstream/lb/source_hash.h"
#include "source/upstream/panic_note.h"

namespace sluice::extensions::network_filters::tcp_proxy {

using stream::ResponseFlag;
using upstream::HostStream;
using Drop = upstream::WorkerCluster::Drop;

namespace {

constexpr auto kPriority = upstream::cluster::RoutingPriority::kDefault;
constexpr std::string_view kClientGone = "downstream_remote_disconnect";

}  // namespace

struct Proxy::LogState {
  stream::StreamInfo info;
  stream::DownstreamFacts facts;
  stream::StreamInfo::Offset connect_began{0};
  std::string remote, direct_remote, local, direct_local, server_name, upstream_local, failure;
  uint64_t received = 0, sent = 0;
};

void Proxy::start(worker::WorkerServices& worker, std::shared_ptr<const Settings> settings, filter::Accepted accepted,
                  base::List<filter::LiveConnection>& list) {
  (new Proxy(worker, std::move(settings), accepted))->begin(list);
}

Proxy::Proxy(worker::WorkerServices& worker, std::shared_ptr<const Settings> settings, filter::Accepted& accepted)
    : NetworkConnection(worker, accepted),
      settings_(std::move(settings)),
      idle_timeout_(settings_->idle_timeout),
      timer_(worker.loop.timers(), [this] { onTimer(); }),
      client_(accepted.remote),
      target_(accepted.local),
      internal_hops_(accepted.internal_hops),
      redirected_(!(accepted.local == accepted.direct_local)),
      limit_(std::clamp<size_t>(accepted.buffer_limit, 1, kMaxBuffered)) {
  worker.cells.add(settings_->stats.cx_total);
  const uint64_t id = ++worker.next_connection_id;
  if (settings_->access_logs.empty() && !settings_->tunnel) return;
  log_ = std::make_unique<LogState>();
  log_->remote = accepted.remote.toString();
  log_->direct_remote = accepted.direct_remote.toString();
  log_->local = accepted.local.toString();
  log_->direct_local = accepted.direct_local.toString();
  log_->facts.remote_address = log_->remote;
  log_->facts.direct_local_address = log_->direct_local;
  log_->facts.fingerprints = std::move(accepted.fingerprints);
  log_->facts.connection = &downstream();
  log_->server_name = accepted.server_name;
  stream::StreamInfo& info = log_->info;
  info.start_time = std::chrono::system_clock::now();
  info.start = worker.loop.now();
  info.downstream_remote_address = log_->remote;
  info.downstream_direct_remote_address = log_->direct_remote;
  info.downstream_local_address = log_->local;
  info.requested_server_name = log_->server_name;
  info.listener_name = settings_->listener_name;
  info.filter_chain_name = settings_->filter_chain_name;
  info.listener_metadata = settings_->listener_metadata.get();
  info.connection_id = id;
  info.internal_hops = internal_hops_;
  info.downstream = &log_->facts;
}

Proxy::~Proxy() = default;

void Proxy::onHandshakeDone() {
  if (log_ && downstream().transport()->secure()) log_->facts.handshake = log_->info.since(worker().loop.now());
}

// --- the way to the host

// An object that filters, or whoever connected to an internal listener, left for this connection; empty: none.
std::string_view Proxy::left(std::string_view name) const {
  const auto* object = state() == nullptr ? nullptr : state()->filter_state.get<stream::FilterState::Object>(name);
  return object == nullptr ? std::string_view() : object->text();
}

void Proxy::onAdmitted() {
  uint32_t idle = 0;
  if (absl::SimpleAtoi(base::toAbsl(left(stream::kTcpIdleTimeoutState)), &idle)) {
    idle_timeout_ = std::chrono::milliseconds(idle);
  }
  if (log_ && downstream().transport() != nullptr && !downstream().transport()->serverName().empty()) {
    log_->server_name = downstream().transport()->serverName();
    log_->info.requested_server_name = log_->server_name;
  }
  if (log_ && state() != nullptr) log_->info.beginWith(*state());
  if (settings_->max_duration.count() > 0) {
    max_duration_ = std::make_unique<event::Timer>(worker().loop.timers(), [this] {
      if (finished()) return;
      worker().cells.add(settings_->stats.max_duration);
      flag(ResponseFlag::kDurationTimeout);
      finish("max_connection_duration_reached");
    });
    max_duration_->arm(settings_->max_duration);
  }
  if (settings_->log_on_start) log(stream::AccessLogType::kTcpConnectionStart);
  if (log_ && settings_->log_interval.count() > 0) {
    log_timer_ = std::make_unique<event::Timer>(worker().loop.timers(), [this] {
      log(stream::AccessLogType::kTcpPeriodic);
      log_timer_->arm(settings_->log_interval);
    });
    log_timer_->arm(settings_->log_interval);
  }
  cluster_ = chooseCluster();
  if (!cluster_) {
    worker().cells.add(settings_->stats.cx_no_route);
    flag(ResponseFlag::kNoClusterFound);
    return finish("cluster_not_found");
  }
  limit_ = std::clamp<size_t>(cluster_->config().per_connection_buffer_limit, 1, limit_);
  if (log_) log_->info.upstream_cluster = cluster_->config().name;
  if (const Drop drop = cluster_->drops(); drop != Drop::kNone) {
    flag(drop == Drop::kAll ? ResponseFlag::kUnconditionalDropOverload : ResponseFlag::kDropOverload);
    return finish(drop == Drop::kAll ? "unconditional_drop_overload" : "drop_overload");
  }
  touch();
  connect();
}

base::LocalPtr<upstream::WorkerCluster> Proxy::chooseCluster() {
  auto& clusters = worker().part<upstream::ClusterSet>();
  std::string_view named = facts() == nullptr ? std::string_view() : std::string_view(facts()->cluster);
  if (named.empty()) named = left(stream::kTcpClusterState);
  if (!named.empty()) {
    metadata_match_ = settings_->metadata_match.get();
    return clusters.find(named);
  }
  const std::vector<Settings::Target>& targets = settings_->targets;
  const uint64_t at = targets.size() == 1 ? 0 : worker().random.below(targets.back().weights_up_to);
  const auto target = std::upper_bound(targets.begin(), targets.end(), at,
                                       [](uint64_t point, const auto& one) { return point < one.weights_up_to; });
  metadata_match_ = target->metadata_match.get();
  return clusters.find(target->cluster);
}

void Proxy::connect() {
  for (;;) {
    std::optional<std::string> failure = attempt();
    if (!failure || finished()) return;
    if (log_) log_->failure = *std::move(failure);
    if (attempts_ >= settings_->max_connect_attempts) return giveUp();
  }
}

upstream::cluster::HostSlot Proxy::pick() {
  class Context final : public upstream::lb::LbContext {
   public:
    explicit Context(const Proxy& proxy) : proxy_(proxy) {}
    std::optional<uint64_t> hash() const override {
      return proxy_.settings_->hash_source ? upstream::lb::hashOfSource(proxy_.client_) : std::nullopt;
    }
    upstream::lb::Destination destination() const override { return {proxy_.target_, proxy_.redirected_}; }
    const stream::MetadataCriteria* metadataCriteria() const override { return proxy_.metadata_match_; }
    const dns_cache::ResolvedHost* resolvedHost() const override {
      return proxy_.facts() == nullptr ? nullptr : proxy_.facts()->resolved_host.get();
    }

   private:
    const Proxy& proxy_;
  };
  const Context context(*this);
  const upstream::cluster::HostSlot slot = cluster_->pick(context);
  if (context.panicked && log_) upstream::notePanic(log_->info, slot);
  return slot;
}

std::optional<std::string> Proxy::attempt() {
  ++attempts_;
  if (log_) log_->connect_began = log_->info.since(worker().loop.now());
  const upstream::cluster::HostSlot slot = pick();
  if (slot == upstream::cluster::kNoHost) {
    worker().cells.add(context().stats.cx_none_healthy);
    flag(ResponseFlag::kNoHealthyUpstream);
    finish("no_healthy_upstream");
    return std::nullopt;
  }
  host_ = cluster_->hostPtr(slot);
  HostStream::Opening opening = settings_->tunnel && left(stream::kNoTunnelState) != "true"
                                    ? Tunnel::open(cluster_, slot, *settings_->tunnel, log_->info, *this)
                                    : openConnection(slot);
  upstream_ = std::move(opening.stream);
  if (opening.failure == HostStream::Failure::kConnectFailed) return opening.why;
  if (opening.failure == HostStream::Failure::kOverflow) {
    if (log_) log_->failure = std::move(opening.why);
    flag(ResponseFlag::kUpstreamOverflow);
    finish("upstream_overflow");
  }
  return std::nullopt;
}

HostStream::Opening Proxy::openConnection(upstream::cluster::HostSlot slot) {
  net::TransportFactory::Options options{.client = &client_, .target = &target_, .internal_hops = internal_hops_};
  std::shared_ptr<const stream::FilterState> shared;
  std::vector<std::string> protocols;
  if (state() != nullptr) {
    shared = state()->filter_state.shared();
    options.shared = shared.get();
    options.tlvs = state()->tlvs.get();
    if (state()->source) options.source = &*state()->source;
    options.server_name = left(stream::kUpstreamNameState);
    if (const std::string_view alpn = left(stream::kUpstreamProtocolsState); !alpn.empty()) {
      protocols = absl::StrSplit(base::toAbsl(alpn), ',');
      options.alpn = &protocols;
      options.alpn_first = true;
    }
  }
  return upstream::TcpConnection::open(cluster_, slot, kPriority, options, *this);
}

void Proxy::onHostFailed(std::string_view why, bool) {
  if (finished()) return;
  if (log_) log_->failure = why;
  upstream_.reset();
  if (attempts_ < settings_->max_connect_attempts) return connect();
  giveUp();
}

void Proxy::giveUp() {
  flag(ResponseFlag::kUpstreamConnectionFailure);
  flag(ResponseFlag::kUpstreamRetryLimitExceeded);
  finish("upstream_connection_failure");
}

void Proxy::onHostConnected() {
  connected_ = true;
  touch();
  if (log_) {
    log_->upstream_local = upstream_->localAddress();
    log_->info.upstream_host = host_->addressText();
    log_->info.upstream_host_name = host_->hostname().empty() ? host_->addressText() : host_->hostname();
    log_->info.setUpstreamMetadata(cluster_->config().metadata, host_->metadata());
    log_->info.upstream_local_address = log_->upstream_local;
    log_->info.upstream_request_start = log_->info.since(worker().loop.now());
    log_->info.upstream_connect = {log_->info.start + log_->connect_began, worker().loop.now()};
    log_->info.upstream_pool_wait = log_->info.upstream_request_start - log_->connect_began;
  }
  if (settings_->log_on_connected) log(stream::AccessLogType::kTcpUpstreamConnected);
  if (client_ended_) upstream_->shutdownWrites();
  downstream().resumeReading();
}

// --- bytes

void Proxy::touch() {
  if (idle_timeout_.count() > 0) timer_.arm(idle_timeout_);
}

size_t Proxy::credit() {
  if (closing_) return net::WorkerBuffers::kReadSize;  // read and dropped
  if (!connected_) return 0;
  const size_t pending = upstream_->pendingBytes();
  return pending < limit_ ? limit_ - pending : 0;
}

void Proxy::onData(std::string_view bytes) {
  if (closing_) return;
  worker().cells.add(settings_->stats.rx_bytes_total, bytes.size());
  if (log_) log_->received += bytes.size();
  touch();
  upstream_->write(bytes);
}

size_t Proxy::hostCredit() {
  const size_t pending = downstream().pendingBytes();
  return pending < limit_ ? limit_ - pending : 0;
}

void Proxy::onHostData(std::string_view bytes) {
  worker().cells.add(settings_->stats.tx_bytes_total, bytes.size());
  if (log_) log_->sent += bytes.size();
  touch();
  downstream().write(bytes);
}

void Proxy::onHostDrained() {
  if (finished()) return;
  downstream().resumeReading();
  finishIfBothEnded();
}

void Proxy::onFlushed() {
  if (closing_) return finish(closing_details_);
  if (upstream_) upstream_->resumeReading();
  finishIfBothEnded();
}

// --- ends

void Proxy::onEnd() {
  client_ended_ = true;
  if (closing_) return;
  if (connected_) upstream_->shutdownWrites();
  finishIfBothEnded();
}

void Proxy::onHostEnd() {
  host_ended_ = true;
  downstream().shutdownWrites();
  finishIfBothEnded();
}

void Proxy::finishIfBothEnded() {
  if (!client_ended_ || !host_ended_ || finished()) return;
  if (upstream_->pendingBytes() > 0 || downstream().pendingBytes() > 0) return;
  finish({});
}

// A reset is passed on as one, or what was cut short would look whole; but not behind an end.
void Proxy::onReset() {
  flag(ResponseFlag::kDownstreamConnectionTermination);
  if (log_) log_->facts.close = stream::DownstreamFacts::Close::kRemoteReset;
  if (!upstream_ || client_ended_) return;
  upstream_->breakOff();
  noteHostClose(stream::DownstreamFacts::Close::kLocalReset);
}

void Proxy::onHostBroken() {
  flag(ResponseFlag::kUpstreamConnectionTermination);
  noteHostClose(stream::DownstreamFacts::Close::kRemoteReset);
  if (host_ended_) return closeAfterFlush("upstream_reset");
  closing_ = true;
  upstream_.reset();
  timer_.cancel();
  if (log_) log_->facts.close = stream::DownstreamFacts::Close::kLocalReset;
  finishBroken("upstream_reset");
}

void Proxy::closeAfterFlush(std::string_view details) {
  closing_ = true;
  closing_details_ = details;
  upstream_.reset();
  downstream().flush();
  if (downstream().pendingBytes() == 0) return finish(details);
  sent_before_ = downstream().bytesSent();
  timer_.arm(kFlushPatience);
}

void Proxy::onTimer() {
  if (finished()) return;
  if (closing_) {
    if (downstream().bytesSent() == sent_before_) return finish(closing_details_);
    sent_before_ = downstream().bytesSent();
    return timer_.arm(kFlushPatience);
  }
  worker().cells.add(settings_->stats.idle_timeout);
  finish("tcp_session_idle_timeout");
}

bool Proxy::over(std::string_view details) {
  const bool cut = connected_ && !closing_;
  timer_.cancel();
  if (max_duration_) max_duration_->cancel();
  if (log_) noteClose(details);
  upstream_.reset();
  if (log_) {
    if (log_timer_) log_timer_->cancel();
    log_->info.connection_termination_details = details;
    log(stream::AccessLogType::kTcpConnectionEnd);
  }
  return cut;
}

// What is not the client's doing is ours.
void Proxy::noteClose(std::string_view details) {
  using Close = stream::DownstreamFacts::Close;
  stream::DownstreamFacts& facts = log_->facts;
  if (upstream_ && !host_ended_ && connected_) {
    facts.upstream_local_close_reason =
        facts.close == Close::kRemoteReset ? "closing_upstream_tcp_connection_due_to_downstream_reset_close"
        : details == kClientGone           ? "closing_upstream_tcp_connection_due_to_downstream_remote_close"
                                           : "closing_upstream_tcp_connection_due_to_downstream_local_close";
  }
  if (facts.close == Close::kNone) facts.close = Close::kNormal;
  noteHostClose(Close::kNormal);
  if (details != kClientGone && details != "handshake_failed") facts.local_close_reason = details;
}

void Proxy::noteHostClose(stream::DownstreamFacts::Close close) {
  using Close = stream::DownstreamFacts::Close;
  if (log_ && connected_ && log_->facts.upstream_close == Close::kNone) log_->facts.upstream_close = close;
}

// --- the access log

void Proxy::flag(ResponseFlag flag) {
  if (log_) log_->info.response_flags.set(flag);
}

void Proxy::log(stream::AccessLogType type) {
  if (!log_) return;
  stream::StreamInfo& info = log_->info;
  info.response_end = info.since(worker().loop.now());  // so far
  info.bytes_received = info.downstream_wire_bytes_received = log_->received;
  info.bytes_sent = info.downstream_wire_bytes_sent = log_->sent;
  info.upstream_transport_failure_reason = log_->failure;
  if (facts() != nullptr) info.response_flags.set(facts()->response_flags);
  info.attempt_count = static_cast<uint16_t>(std::min<uint32_t>(attempts_, UINT16_MAX));
  const stream::FormatContext context{.info = info, .type = type};
  for (const auto& log : settings_->access_logs) log->log(context, worker());
}

}  // namespace sluice::extensions::network_filters::tcp_proxy
