#include "source/extensions/filters/udp/udp_proxy/session.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "source/upstream/pool/host_place.h"

namespace sluice::extensions::udp_filters::udp_proxy {

using upstream::cluster::Resource;

namespace {

constexpr auto kPriority = upstream::cluster::RoutingPriority::kDefault;
// Under which the access log finds numbers of datagrams: %DYNAMIC_METADATA(udp.proxy.session:datagrams_sent)%.
constexpr std::string_view kMetadata = "udp.proxy.session";

uint64_t bytesOf(std::span<const std::string_view> payloads) {
  uint64_t sum = 0;
  for (const std::string_view payload : payloads) sum += payload.size();
  return sum;
}

}  // namespace

struct Session::LogState {
  stream::StreamInfo info;
  std::string remote, local, upstream_local;
  uint64_t bytes_received = 0, bytes_sent = 0, datagrams_received = 0, datagrams_sent = 0, errors_sent = 0;
};

Session::Session(Owner& owner, worker::WorkerServices& worker, std::shared_ptr<const Settings> settings,
                 base::LocalPtr<filter::UdpPort> port, const net::Datagram& first, upstream::ClusterId cluster_id,
                 base::LocalPtr<upstream::WorkerCluster> cluster, upstream::cluster::HostSlot slot, net::Fd fd)
    : owner_(owner),
      worker_(worker),
      datagrams_(worker.part<filter::DatagramWorker>()),
      settings_(std::move(settings)),
      port_(std::move(port)),
      client_(first.peer),
      local_(first.local),
      cluster_id_(cluster_id),
      cluster_(std::move(cluster)),
      host_(cluster_->hostPtr(slot)),
      fd_(std::move(fd)),
      watch_(worker.loop.watch(fd_.get(), event::kReadable, event::Trigger::kLevel, *this)),
      timer_(worker.loop.timers(), [this] { onTimer(); }),
      silence_(settings_->idle_timeout) {
  net::setTellLost(fd_.get());
  if (settings_->prefer_gro) net::setGro(fd_.get(), true);
  cluster_->requestStarted(slot);
  worker_.cells.add(settings_->stats.sess_total);
  worker_.cells.add(settings_->stats.sess_active);
  ++datagrams_.sessions.used;
  touch();
  const uint64_t id = ++worker_.next_connection_id;
  if (settings_->access_logs.empty()) return;
  log_ = std::make_unique<LogState>();
  log_->remote = client_.toString();
  log_->local = local_.toString();
  log_->upstream_local = net::localAddress(fd_.get()).toString();
  stream::StreamInfo& info = log_->info;
  info.start_time = std::chrono::system_clock::now();
  info.start = worker_.loop.now();
  info.downstream_remote_address = info.downstream_direct_remote_address = log_->remote;
  info.downstream_local_address = log_->local;
  info.connection_id = id;
  info.upstream_cluster = cluster_->config().name;
  info.upstream_host = host_->addressText();
  info.upstream_host_name = host_->hostname().empty() ? host_->addressText() : host_->hostname();
  info.setUpstreamMetadata(cluster_->config().metadata, host_->metadata());
  info.upstream_local_address = log_->upstream_local;
}

Session::~Session() = default;

void Session::send(std::span<const std::string_view> payloads) {
  touch();
  awaits_answer_ = true;
  const net::Sent sent = net::sendDatagrams(fd_.get(), payloads);
  const uint64_t received = bytesOf(payloads);
  observability::StatsCells& cells = worker_.cells;
  cells.add(settings_->stats.rx_datagrams, payloads.size());
  cells.add(settings_->stats.rx_bytes, received);
  cells.add(clusterStats().udp_tx_datagrams, sent.datagrams);
  cells.add(clusterStats().cx_tx_bytes_total, sent.bytes);
  if (sent.failed > 0) cells.add(clusterStats().udp_tx_errors, sent.failed);
  if (!log_) return;
  log_->datagrams_received += payloads.size();
  log_->bytes_received += received;
}

void Session::onFdEvents(uint32_t) {
  net::DatagramBatch& batch = datagrams_.batch;
  const int error = batch.receive(fd_.get(), {settings_->max_rx_datagram_size, settings_->prefer_gro});
  observability::StatsCells& cells = worker_.cells;
  if (error != 0) {
    // The host told that it did not take an earlier datagram (ECONNREFUSED), or cannot be reached. It may be back any
    // time, and whether there is a better one is not for a single error to say.
    if (error != EAGAIN && error != EINTR) cells.add(clusterStats().udp_rx_errors);
    return;
  }
  touch();
  awaits_answer_ = false;
  if (batch.oversized() > 0) cells.add(clusterStats().udp_rx_dropped, batch.oversized());
  if (batch.lost() != 0) cells.add(clusterStats().udp_rx_dropped, batch.lost() - std::exchange(lost_, batch.lost()));
  std::array<std::string_view, net::DatagramBatch::kMost> payloads;
  size_t count = 0;
  for (const net::Datagram& datagram : batch.datagrams()) {
    payloads[count++] = datagram.payload;
    if (count == payloads.size()) toClient({payloads.data(), std::exchange(count, 0)});
  }
  if (count > 0) toClient({payloads.data(), count});
}

void Session::toClient(std::span<const std::string_view> payloads) {
  const net::Sent sent = port_->send(client_, local_, payloads);
  observability::StatsCells& cells = worker_.cells;
  cells.add(clusterStats().udp_rx_datagrams, payloads.size());
  cells.add(clusterStats().cx_rx_bytes_total, bytesOf(payloads));
  cells.add(settings_->stats.tx_datagrams, sent.datagrams);
  cells.add(settings_->stats.tx_bytes, sent.bytes);
  if (sent.failed > 0) cells.add(settings_->stats.tx_errors, sent.failed);
  if (!log_) return;
  log_->datagrams_sent += sent.datagrams;
  log_->bytes_sent += sent.bytes;
  log_->errors_sent += sent.failed;
}

void Session::touch() {
  timer_.armAt(std::min(worker_.loop.now() + silence_, cut_at_));
}

void Session::cutAt(event::TimePoint when) {
  cut_at_ = std::min(cut_at_, when);
  timer_.armAt(std::min(timer_.deadline(), cut_at_));
}

void Session::limitSilence(milliseconds limit) {
  leaving_ = true;
  silence_ = std::min(silence_, limit);
  timer_.armAt(std::min<event::TimePoint>(timer_.deadline(), worker_.loop.now() + silence_));
}

void Session::answerOnly(milliseconds patience, std::string_view details) {
  answers_only_ = true;
  last_words_ = details;
  cut_at_ = worker_.loop.now() + patience;
  timer_.armAt(cut_at_);
}

void Session::onTimer() {
  if (answers_only_) return owner_.sessionExpired(*this, last_words_);
  if (worker_.loop.now() >= cut_at_) return owner_.sessionCut(*this, "drain_timeout");
  if (leaving_) return owner_.sessionExpired(*this, "drained");
  worker_.cells.add(settings_->stats.idle_timeout);
  owner_.sessionExpired(*this, "udp_session_idle_timeout");
}

void Session::close(std::string_view details) {
  timer_.cancel();
  watch_.reset();
  fd_ = net::Fd();
  cluster_->context().breakers->release(Resource::kConnections, kPriority);
  upstream::pool::giveHostPlace(cluster_->context(), *host_, kPriority);
  cluster_->requestFinished(*host_);
  worker_.cells.sub(settings_->stats.sess_active);
  --datagrams_.sessions.used;
  if (log_) log(details);
}

void Session::log(std::string_view details) {
  stream::StreamInfo& info = log_->info;
  info.response_end = info.since(worker_.loop.now());
  info.connection_termination_details = details;
  info.bytes_received = info.downstream_wire_bytes_received = log_->bytes_received;
  info.bytes_sent = info.downstream_wire_bytes_sent = log_->bytes_sent;
  auto put = [&info](std::string_view key, uint64_t value) {
    info.metadata().set(kMetadata, key, {static_cast<double>(value)});
  };
  info.metadata().set(kMetadata, "cluster_name", {cluster_->config().name});
  put("bytes_received", log_->bytes_received);
  put("bytes_sent", log_->bytes_sent);
  put("datagrams_received", log_->datagrams_received);
  put("datagrams_sent", log_->datagrams_sent);
  put("errors_sent", log_->errors_sent);
  const stream::FormatContext context{.info = info, .type = stream::AccessLogType::kUdpSessionEnd};
  for (const auto& log : settings_->access_logs) log->log(context, worker_);
}

}  // namespace sluice::extensions::udp_filters::udp_proxy
