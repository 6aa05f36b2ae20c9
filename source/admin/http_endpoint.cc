#include "source/admin/http_endpoint.h"

#include "source/http/h1/codec.h"
#include "source/listener/listener.h"
#include "source/session/connection.h"
#include "source/session/http_stats.h"
#include "source/session/worker.h"

namespace sluice::admin {
namespace {

using filter::Reply;

struct EndpointConfig final : filter::TerminalConfig {
  filter::Terminal* make(worker::WorkerServices&, filter::ChainRunner& runner, filter::Stream& stream,
                         filter::Downstream&) const override;

  HttpHandler handler;
  std::function<Admission(const HttpRequest&)> admit;
};

// Collects the request, calls the handler, replies.
class EndpointTerminal final : public filter::Terminal {
 public:
  EndpointTerminal(const EndpointConfig& config, filter::ChainRunner& runner, filter::Stream& stream)
      : config_(config), runner_(runner), stream_(stream) {}

  void requestHeaders(bool end_stream) override {
    if (end_stream) return answer();
    if (!config_.admit) return;
    Admission admission = config_.admit(request());
    max_body_ = admission.max_body;
    if (admission.refusal) reply(*std::move(admission.refusal));
  }
  void requestData(std::string_view data, bool end_stream) override {
    if (done_) return;
    if (body_.size() + data.size() > max_body_) {
      done_ = true;
      return runner_.localReply(Reply{413, "the body is larger than this server takes\n", "request_payload_too_large"});
    }
    body_.append(data);
    if (end_stream) answer();
  }
  void requestTrailers() override { answer(); }
  size_t unsentRequestBytes() const override { return 0; }
  void responseCreditGrew() override {}
  void deadlineExpired() override {}
  void cancel() override { done_ = true; }

 private:
  HttpRequest request() const {
    const http::RequestHeaders& headers = stream_.request();
    return {headers.method, headers.path, headers.authority, body_,
            [&headers](std::string_view name) { return headers.get(name).value_or(std::string_view()); }};
  }

  void answer() {
    if (!done_) reply(config_.handler(request()));
  }

  void reply(HttpResponse response) {
    done_ = true;
    Reply reply{response.status, std::move(response.body), "endpoint_reply"};
    reply.headers = std::move(response.headers);
    reply.headers.emplace_back("content-type", response.content_type);
    reply.headers.emplace_back("cache-control", "no-cache, max-age=0");
    reply.headers.emplace_back("x-content-type-options", "nosniff");
    runner_.localReply(std::move(reply));
  }

  const EndpointConfig& config_;
  filter::ChainRunner& runner_;
  filter::Stream& stream_;
  std::string body_;
  size_t max_body_ = Admission::kSmallBody;
  bool done_ = false;
};

filter::Terminal* EndpointConfig::make(worker::WorkerServices&, filter::ChainRunner& runner, filter::Stream& stream,
                                       filter::Downstream&) const {
  return filter::makeIn<EndpointTerminal>(stream.arena(), *this, runner, stream);
}

class EndpointFilter : public filter::TerminalNetworkFilter {
 public:
  explicit EndpointFilter(std::shared_ptr<const session::HttpSettings> settings) : settings_(std::move(settings)) {}
  void serve(filter::Accepted accepted, worker::WorkerServices& worker,
             base::List<filter::LiveConnection>& list) const override {
    session::Connection::start(worker.part<session::SessionWorker>(), settings_, std::move(accepted), list,
                               {http::h1::makeServerCodec, nullptr});
  }

 private:
  std::shared_ptr<const session::HttpSettings> settings_;
};

class Endpoint : public HttpEndpoint {
 public:
  Endpoint(event::Loop& loop, observability::StatsCells& cells, observability::LogFiles& log_files)
      : log_sink_(log_files),
        services_({.loop = loop,
                   .buffers = buffers_,
                   .cells = cells,
                   .log_sink = log_sink_,
                   .calls = calls_,
                   .index = 0xFFFF}),
        tables_(nullptr),
        sessions_(services_, tables_),
        listeners_(services_) {
    services_.add(sessions_);
  }

  absl::Status open(const net::Address& address, observability::StatsRegistry& registry, HttpHandler handler,
                    const HttpEndpointOptions& options) {
    net::OpenedSockets opened;
    net::SocketSource& source = options.sockets == nullptr ? opened : *options.sockets;
    absl::StatusOr<net::TakenSocket> taken = source.take({.address = address});
    if (!taken.ok()) return taken.status();
    address_ = address.isIp() ? net::localAddress(taken->fd.get()) : address;
    if (!taken->listening) {
      if (absl::Status begun = net::beginListening(taken->fd.get(), address_, {}); !begun.ok()) return begun;
    }

    auto terminal = std::make_shared<EndpointConfig>();
    terminal->handler = std::move(handler);
    terminal->admit = options.admit;
    auto settings = std::make_shared<session::HttpSettings>();
    settings->stat_prefix = options.stat_prefix;
    stats_ = registry.root();
    settings->stats = session::makeHttpStats(stats_, options.stat_prefix);
    settings->access_logs = options.access_logs;
    settings->chain = filter::fixedChain({});
    settings->terminal = std::move(terminal);
    settings->route_slot = std::make_shared<route::TableSlot>();
    settings->generate_request_id = false;
    settings->request_headers_timeout = std::chrono::seconds(10);
    settings->request_timeout = std::chrono::seconds(60);

    auto config = std::make_shared<listener::ListenerConfig>();
    config->name = options.stat_prefix;
    config->addresses = {address_};
    config->chains.push_back({.terminal = std::make_shared<EndpointFilter>(std::move(settings))});
    std::vector<net::Fd> sockets;
    sockets.push_back(std::move(taken->fd));
    listeners_.set(std::move(config), std::move(sockets), {});
    return absl::OkStatus();
  }

  const net::Address& address() const override { return address_; }
  void stopAccepting() override { listeners_.drainAll(std::chrono::milliseconds(0)); }

 private:
  net::Address address_;
  observability::Scope stats_;
  observability::LogSink log_sink_;
  net::WorkerBuffers buffers_;
  filter::NoCalls calls_;
  worker::WorkerServices services_;
  session::RouteTables tables_;
  session::SessionWorker sessions_;
  listener::WorkerListeners listeners_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpEndpoint>> openHttpEndpoint(event::Loop& loop, const net::Address& address,
                                                               observability::StatsRegistry& registry,
                                                               observability::StatsCells& cells,
                                                               observability::LogFiles& log_files, HttpHandler handler,
                                                               HttpEndpointOptions options) {
  auto endpoint = std::make_unique<Endpoint>(loop, cells, log_files);
  if (absl::Status status = endpoint->open(address, registry, std::move(handler), options); !status.ok()) return status;
  return endpoint;
}

}  // namespace sluice::admin
