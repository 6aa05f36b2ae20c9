// The control plane's HTTP API as a function from request to response; sockets are someone else's business.
//
//   GET  /healthz             "ok", or 503 and why: the directory was never good
//   GET  /api/v1/status       each connected node: whether it serves the newest and what it waits for; each type of it:
//                             version sent, acknowledged, refused and why
//   GET  /api/v1/load         what the last reports say, by cluster and locality; ?cluster= and ?proxy= narrow it
//   GET  /api/v1/resources    what is served, with its place; ?type= and ?name= narrow it
//   POST /api/v1/resources    a file of intent; ?file= names it in the directory. Validated as a whole, then written
//
// Errors are JSON: {"error": "..."}. Thread: the main loop's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "source/control_plane/discovery_server.h"
#include "source/control_plane/intent_store.h"
#include "source/control_plane/load_server.h"

namespace sluice::control_plane {

struct HttpRequest {
  std::string_view method;
  std::string_view target;         // path and query, as sent
  std::string_view authorization;  // empty: not there
  std::string_view origin;         // empty: not there
  std::string_view body;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

class HttpApi {
 public:
  struct Options {
    std::optional<std::string> token;  // what a writer has to show
    bool loopback = true;              // only this machine can reach the API
    std::function<void()> on_applied;  // something new is served
  };

  // Store and servers outlive the API.
  HttpApi(IntentStore& store, const DiscoveryServer& discovery, const LoadServer& loads, Options options)
      : store_(store), discovery_(discovery), loads_(loads), options_(std::move(options)) {}

  HttpResponse handle(const HttpRequest& request);
  // Why the body of a request is not wanted, from its head alone; nullopt: it may have kMaxApplyBytes if it writes.
  std::optional<HttpResponse> refuseBody(const HttpRequest& head) const;
  static bool writes(const HttpRequest& head);

 private:
  HttpResponse health() const;
  HttpResponse status() const;
  HttpResponse load(std::string_view query) const;
  HttpResponse resources(std::string_view query) const;
  HttpResponse apply(const HttpRequest& request, std::string_view query);
  std::optional<HttpResponse> refuseWriter(const HttpRequest& request) const;

  IntentStore& store_;
  const DiscoveryServer& discovery_;
  const LoadServer& loads_;
  const Options options_;
};

// The largest body that a POST may have, in bytes.
inline constexpr size_t kMaxApplyBytes = size_t{32} << 20;

}  // namespace sluice::control_plane
