// What the tests of retries on the data path share: two hosts that take turns, and a route with a policy.
#pragma once

#include "source/server/test_data_path.h"
#include "source/stream/formatter.h"

namespace sluice::server {

inline const std::string kBusy = "HTTP/1.1 503 No\r\ncontent-length: 4\r\n\r\nbusy";

struct RetryPath : DataPath {
  explicit RetryPath(std::string_view retry_on, uint32_t num_retries = 1) {
    policy->on = route::parseRetryOn(retry_on);
    policy->num_retries = num_retries;
    using upstream::cluster::ClusterStats;
    for (const auto& [name, counter] : std::initializer_list<std::pair<const char*, observability::Counter*>>{
             {"success", &stats.rq_retry_success},
             {"overflow", &stats.rq_retry_overflow},
             {"spent", &stats.rq_retry_limit_exceeded},
             {"exponential", &stats.rq_retry_backoff_exponential},
             {"told", &stats.rq_retry_backoff_ratelimited},
             {"per_try", &stats.rq_per_try_timeout},
             {"idle", &stats.rq_per_try_idle_timeout},
             {"abandoned", &stats.retry_or_shadow_abandoned},
             {"max_duration", &stats.rq_max_duration_reached},
             {"tx_reset", &stats.rq_tx_reset},
             {"rq_5xx", &stats.rq_5xx}}) {
      *counter = registry.counter(name);
    }
    settings->stream_idle_timeout = 0s;
    hosts({host.address, second.address});
    use();
  }
  // The policy, and what a test changed of it or the rest.
  void use() {
    action = forward("c");
    action.retry_policy = policy;
    action.hedge_on_per_try_timeout = hedges;
    action.timeout = timeout;
    action.request_buffer_limit = limit;
    route::RouteSpec spec;
    spec.path = "/";
    spec.action = action;
    route::TableSpec table;
    route::VirtualHostSpec& everything = table.virtual_hosts.emplace_back();
    everything.name = "v";
    everything.domains = {"*"};
    everything.routes = {spec};
    everything.attempt_headers = told;
    tables.set(0, *route::Table::build(std::move(table)));
  }
  // Any back-off of the first three is over.
  void backOff() { loop.pass(200ms); }
  // A new client, which has sent this.
  TestClient& ask(std::string_view request = get()) {
    TestClient& client = connect();
    client.send(request);
    return client;
  }
  // The first host is busy, and the back-off is over.
  void answerBusy() {
    answer(kBusy);
    backOff();
  }
  void limitTries(std::chrono::milliseconds per_try, std::chrono::milliseconds whole) {
    policy->per_try_timeout = per_try;
    timeout = whole;
    use();
  }
  void stopHosts() {
    host.stop();
    second.stop();
  }
  std::string seenBySecond(size_t peer = 0) {
    loop.turn();
    return second.peer(peer).take();
  }
  void answerBySecond(std::string_view bytes = kOk, size_t peer = 0) {
    seenBySecond(peer);
    second.peer(peer).send(bytes);
    loop.turn();
  }
  void answerBusyBySecond() {
    answerBySecond(kBusy);
    backOff();
  }
  uint32_t places() { return breakers->used(Resource::kRetries, kPriority); }

  TestUpstream second;
  std::shared_ptr<route::RetryPolicy> policy = std::make_shared<route::RetryPolicy>();
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<uint32_t> limit;
  bool hedges = false;
  route::AttemptHeaders told;
  route::ForwardSpec action;
};

// What a line of the log tells of attempts: how many, why no further one, and where they went. It holds its text, which
// requests that the test did not end are told in, too.
struct RefusalLog : stream::AccessLog {
  static constexpr const char* kFormat =
      "%UPSTREAM_REQUEST_ATTEMPT_COUNT% %DYNAMIC_METADATA(sluice.router:retry_refused)% %UPSTREAM_HOSTS_ATTEMPTED%";

  explicit RefusalLog(std::string_view format = kFormat) : formatter(*stream::TextFormatter::compile(format)) {}
  void log(const stream::FormatContext& context, worker::WorkerServices&) const override {
    formatter.format(context, line);
  }
  mutable std::string line;
  const stream::TextFormatter formatter;
};

}  // namespace sluice::server
