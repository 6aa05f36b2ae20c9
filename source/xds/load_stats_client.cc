#include "source/xds/load_stats_client.h"

#include <algorithm>
#include <climits>
#include <utility>

#include "source/base/duration.h"
#include "source/base/text.h"

namespace sluice::xds {

using envoy::service::load_stats::v3::LoadStatsRequest;
using envoy::service::load_stats::v3::LoadStatsResponse;
using std::chrono::milliseconds;

namespace {

// nullopt: nothing can be reported in such intervals.
std::optional<milliseconds> intervalOf(const LoadStatsResponse& response) {
  const auto& said = response.load_reporting_interval();
  const milliseconds interval = base::millisecondsOf(said.seconds(), said.nanos());
  if (interval.count() <= 0 || interval > LoadStatsClient::kLongestInterval) return std::nullopt;
  return std::max(interval, LoadStatsClient::kShortestInterval);
}

LoadStatsWanted wantedOf(const LoadStatsResponse& response) {
  LoadStatsWanted wanted;
  wanted.all = response.send_all_clusters();
  if (!wanted.all) wanted.clusters.assign(response.clusters().begin(), response.clusters().end());
  wanted.endpoints = response.report_endpoint_granularity();
  return wanted;
}

}  // namespace

LoadStatsClient::LoadStatsClient(Options options, std::unique_ptr<Transport> transport, LoadStatsSource& source,
                                 event::Loop& loop, std::function<uint64_t()> random)
    : options_(std::move(options)),
      source_(source),
      backoff_(options_.backoff, std::move(random)),
      reconnect_timer_(loop.timers(),
                       [this] {
                         ++stats_.retries;
                         connect();
                       }),
      report_timer_(loop.timers(), [this] { report(); }),
      transport_(std::move(transport)) {}

LoadStatsClient::~LoadStatsClient() = default;

void LoadStatsClient::start() {
  connect();
}

void LoadStatsClient::connect() {
  transport_->connect(kMethod, *this);
}

void LoadStatsClient::onConnected() {
  stats_.connected = true;
  node_sent_ = false;
  LoadStatsRequest request;
  send(request);
}

void LoadStatsClient::onMessage(std::string_view bytes) {
  backoff_.reset();
  LoadStatsResponse response;
  if (bytes.size() > INT_MAX || !response.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return drop("it is no LoadStatsResponse");
  }
  const std::optional<milliseconds> interval = intervalOf(response);
  if (!interval) return drop("load_reporting_interval has to be more than 0 s and at most 86400 s");
  ++stats_.requests;
  interval_ = *interval;
  source_.onWanted(wantedOf(response));
  report_timer_.arm(interval_);
}

void LoadStatsClient::onClosed(const absl::Status& status) {
  ++stats_.errors;
  stats_.connected = false;
  interval_ = milliseconds(0);
  report_timer_.cancel();
  const milliseconds wait = backoff_.next();
  log(base::strCat("load report stream ended: ", status.ToString(), "; counts go on; next attempt in ", wait.count(),
                   " ms"));
  reconnect_timer_.arm(wait);
}

void LoadStatsClient::report() {
  report_timer_.arm(interval_);
  if (!transport_->writable()) return;
  LoadStatsRequest request;
  source_.takeReport(*request.mutable_cluster_stats());
  send(request);
}

void LoadStatsClient::send(LoadStatsRequest& request) {
  if (!node_sent_ || !options_.set_node_on_first_message_only) *request.mutable_node() = options_.node;
  node_sent_ = true;
  ++stats_.responses;
  transport_->send(request.SerializeAsString());
}

// What the server wanted before holds.
void LoadStatsClient::drop(std::string_view why) {
  ++stats_.errors;
  log(base::strCat("load report settings dropped: ", why, "; ",
                   interval_.count() == 0 ? "nothing is reported" : "reports go on as before"));
}

void LoadStatsClient::log(const std::string& line) const {
  if (log_) log_(line);
}

}  // namespace sluice::xds
