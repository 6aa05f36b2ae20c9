// A small HTTP server over our own session: a function from requests to responses on an address. Carries the admin
// pages of `sluice` and the HTTP API of `sluice-control`.
//
// Thread: the loop's. The handler is called with whole requests. A body is collected only as far as the head admits it,
// so that nobody without the right to send one makes the process hold it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "source/event/loop.h"
#include "source/net/address.h"
#include "source/net/socket_source.h"
#include "source/observability/log_file.h"
#include "source/observability/stats.h"
#include "source/stream/access_log.h"

namespace sluice::admin {

// Views live as long as the call.
struct HttpRequest {
  std::string_view method;
  std::string_view target;  // path with query
  std::string_view host;    // authority
  std::string_view body;
  std::function<std::string_view(std::string_view lower_name)> header;  // empty if absent
};

struct HttpResponse {
  uint16_t status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=UTF-8";
  std::vector<std::pair<std::string, std::string>> headers;
};

using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

// Whether the body of a request is worth collecting.
struct Admission {
  std::optional<HttpResponse> refusal;  // answered at once; the body is not looked at
  size_t max_body = kSmallBody;

  static constexpr size_t kSmallBody = 64 * 1024;
};

struct HttpEndpointOptions {
  std::string stat_prefix = "admin";  // http.PREFIX.*
  // Asked with the head alone, for a request that has a body; empty: small bodies are taken.
  std::function<Admission(const HttpRequest&)> admit = {};
  stream::AccessLogs access_logs = {};
  net::SocketSource* sockets = nullptr;  // null: its socket is opened
};

class HttpEndpoint {
 public:
  virtual ~HttpEndpoint() = default;
  // With the port that the kernel gave for port 0.
  virtual const net::Address& address() const = 0;
  virtual void stopAccepting() = 0;
};

// `loop`, `registry`, `cells` and `log_files` outlive the endpoint. Errors: the address cannot be bound, or what the
// source of sockets says.
absl::StatusOr<std::unique_ptr<HttpEndpoint>> openHttpEndpoint(event::Loop& loop, const net::Address& address,
                                                               observability::StatsRegistry& registry,
                                                               observability::StatsCells& cells,
                                                               observability::LogFiles& log_files, HttpHandler handler,
                                                               HttpEndpointOptions options = {});

}  // namespace sluice::admin
