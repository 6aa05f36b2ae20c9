#include "source/control_plane/load_server.h"

#include <algorithm>
#include <climits>
#include <set>
#include <utility>

#include "envoy/service/load_stats/v3/lrs.pb.h"
#include "source/base/duration.h"
#include "source/base/text.h"
#include "source/xds/load_stats_client.h"

namespace sluice::control_plane {

namespace v3 = envoy::config::endpoint::v3;
using envoy::service::load_stats::v3::LoadStatsRequest;
using envoy::service::load_stats::v3::LoadStatsResponse;
using std::chrono::milliseconds;

namespace {

constexpr std::string_view kLog = "load";
// Of the id and cluster of a node.
constexpr size_t kMaxNameBytes = 1024;
constexpr int kFreshIntervals = 3;

LoadSum sumOf(const v3::UpstreamLocalityStats& stats, double seconds) {
  const double ended =
      static_cast<double>(stats.total_successful_requests()) + static_cast<double>(stats.total_error_requests());
  // Some clients do not say what they sent.
  const double issued = stats.total_issued_requests() > 0 ? static_cast<double>(stats.total_issued_requests()) : ended;
  return {.proxies = 1,
          .requests = issued / seconds,
          .succeeded = static_cast<double>(stats.total_successful_requests()) / seconds,
          .failed = static_cast<double>(stats.total_error_requests()) / seconds,
          .in_flight = static_cast<double>(stats.total_requests_in_progress())};
}

std::string localityText(const envoy::config::core::v3::Locality& locality) {
  std::string text = locality.region();
  if (!locality.zone().empty() || !locality.sub_zone().empty()) base::strAppend(text, "/", locality.zone());
  if (!locality.sub_zone().empty()) base::strAppend(text, "/", locality.sub_zone());
  return text;
}

// About what it takes in memory.
size_t bytesOf(const v3::ClusterStats& stats) {
  size_t bytes = sizeof(ClusterLoad) + stats.cluster_name().size();
  for (const v3::UpstreamLocalityStats& each : stats.upstream_locality_stats()) {
    const envoy::config::core::v3::Locality& locality = each.locality();
    bytes += sizeof(LoadPlace) + sizeof(LoadSum) + locality.region().size() + locality.zone().size() +
             locality.sub_zone().size();
  }
  return bytes;
}

// What the client says it covers, or else what it was asked for.
double secondsOf(const v3::ClusterStats& stats, milliseconds asked) {
  const auto& said = stats.load_report_interval();
  const milliseconds time = base::millisecondsOf(said.seconds(), said.nanos());
  return static_cast<double>(std::max<int64_t>(time.count() > 0 ? time.count() : asked.count(), 1)) / 1000;
}

// One cluster may come in several parts.
void addTo(ClusterLoad& load, const v3::ClusterStats& stats, milliseconds asked) {
  const double seconds = secondsOf(stats, asked);
  LoadSum sum{.dropped = static_cast<double>(stats.total_dropped_requests()) / seconds};
  for (const v3::UpstreamLocalityStats& each : stats.upstream_locality_stats()) {
    const LoadSum of_place = sumOf(each, seconds);
    sum.add(of_place);
    LoadSum& place = load.places[{localityText(each.locality()), each.priority()}];
    place.add(of_place);
    place.proxies = 1;
  }
  load.sum.add(sum);
  load.sum.proxies = 1;
}

}  // namespace

void LoadSum::add(const LoadSum& other) {
  proxies += other.proxies;
  requests += other.requests;
  succeeded += other.succeeded;
  failed += other.failed;
  dropped += other.dropped;
  in_flight += other.in_flight;
}

class LoadServer::Stream final : public ServedStream {
 public:
  Stream(LoadServer& server, std::string address, MessageWriter& writer)
      : server_(server), address_(std::move(address)), writer_(writer) {
    server_.streams_.push_back(this);
  }
  ~Stream() override {
    std::erase(server_.streams_, this);
    server_.bytes_ -= bytes_;
    if (known_) server_.logger_.info(kLog, "node '", id_, "' at ", address_, " reports no more");
  }

  absl::Status onMessage(std::string_view bytes) override {
    LoadStatsRequest request;
    if (bytes.size() > INT_MAX || !request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return absl::InvalidArgumentError("it is no LoadStatsRequest");
    }
    if (!known_) {
      if (absl::Status status = identify(request); !status.ok()) return status;
    }
    // The first says only who reports.
    if (std::exchange(known_, true)) take(request);
    return absl::OkStatus();
  }
  void onWritten() override {}

  bool known() const { return known_; }
  const std::string& id() const { return id_; }
  const LoadSum& sum() const { return sum_; }
  const std::map<std::string, ClusterLoad>& clusters() const { return clusters_; }
  std::optional<event::TimePoint> reported() const { return reported_; }
  ReportingProxy view() const {
    ReportingProxy out{.id = id_, .cluster = cluster_, .address = address_};
    if (reported_) out.age = std::chrono::duration_cast<milliseconds>(server_.timers_.now() - *reported_);
    out.clusters = clusters_.size();
    out.left_out = left_out_;
    out.counts = server_.counts(*this);
    return out;
  }

 private:
  absl::Status identify(const LoadStatsRequest& request) {
    if (!request.has_node()) return absl::InvalidArgumentError("the first request has no node, which says who reports");
    const envoy::config::core::v3::Node& node = request.node();
    if (node.id().size() > kMaxNameBytes || node.cluster().size() > kMaxNameBytes) {
      return absl::InvalidArgumentError("node.id or node.cluster is longer than 1024 bytes");
    }
    id_ = node.id();
    cluster_ = node.cluster();
    const auto& features = node.client_features();
    if (std::find(features.begin(), features.end(), xds::LoadStatsClient::kSendsAllClusters) == features.end()) {
      server_.logger_.warning(kLog, "node '", id_, "' at ", address_, " does not say that it can report all clusters (",
                              xds::LoadStatsClient::kSendsAllClusters, "); it may report none");
    }
    server_.logger_.info(kLog, "node '", id_, "' reports from ", address_);
    LoadStatsResponse wanted;
    wanted.set_send_all_clusters(true);
    wanted.mutable_load_reporting_interval()->set_seconds(server_.options_.interval.count() / 1000);
    wanted.mutable_load_reporting_interval()->set_nanos(
        static_cast<int32_t>(server_.options_.interval.count() % 1000 * 1'000'000));
    writer_.write(wanted.SerializeAsString());
    return absl::OkStatus();
  }

  void take(const LoadStatsRequest& request) {
    clusters_.clear();
    sum_ = {};
    server_.bytes_ -= std::exchange(bytes_, 0);
    left_out_ = 0;
    for (const v3::ClusterStats& stats : request.cluster_stats()) {
      const size_t bytes = bytesOf(stats);
      if (bytes_ + bytes > server_.options_.report_bytes || server_.bytes_ + bytes > server_.options_.all_bytes) {
        ++left_out_;
        continue;
      }
      bytes_ += bytes;
      server_.bytes_ += bytes;
      addTo(clusters_[stats.cluster_name()], stats, server_.options_.interval);
    }
    for (const auto& [name, load] : clusters_) sum_.add(load.sum);
    sum_.proxies = 1;
    reported_ = server_.timers_.now();
    if (left_out_ == 0 || std::exchange(warned_, true)) return;
    server_.logger_.warning(kLog, "node '", id_, "' at ", address_, " reports more than is kept: ", left_out_,
                            " clusters are left out");
  }

  LoadServer& server_;
  const std::string address_;
  MessageWriter& writer_;
  bool known_ = false;
  std::string id_, cluster_;
  std::map<std::string, ClusterLoad> clusters_;  // of the last report
  LoadSum sum_;                                  // of all of them
  std::optional<event::TimePoint> reported_;
  size_t bytes_ = 0;
  size_t left_out_ = 0;
  bool warned_ = false;
};

std::unique_ptr<ServedStream> LoadServer::open(std::string address, MessageWriter& writer) {
  return std::make_unique<Stream>(*this, std::move(address), writer);
}

bool LoadServer::counts(const Stream& stream) const {
  return stream.reported() && timers_.now() - *stream.reported() <= options_.interval * kFreshIntervals;
}

std::vector<ReportingProxy> LoadServer::proxies() const {
  std::vector<ReportingProxy> out;
  for (const Stream* stream : streams_) {
    if (stream->known()) out.push_back(stream->view());
  }
  return out;
}

LoadSum LoadServer::total() const {
  LoadSum total;
  for (const Stream* stream : streams_) {
    if (counts(*stream)) total.add(stream->sum());
  }
  return total;
}

FleetLoad LoadServer::load(std::string_view proxy) const {
  FleetLoad fleet;
  for (const Stream* stream : streams_) {
    if (!counts(*stream) || (!proxy.empty() && stream->id() != proxy)) continue;
    fleet.sum.add(stream->sum());
    for (const auto& [name, load] : stream->clusters()) {
      ClusterLoad& cluster = fleet.clusters[name];
      cluster.sum.add(load.sum);
      for (const auto& [place, sum] : load.places) cluster.places[place].add(sum);
    }
  }
  return fleet;
}

}  // namespace sluice::control_plane
