// The admin pages: views of the process and guarded actions, as a function from a request to a response. The server
// carries it over our own HTTP session on the admin listener.
//
// Main thread. Nothing here keeps state. Shapes and paths are Envoy's; actions need POST and refuse requests that a web
// page of another origin makes; values of configuration that are private are not printed (config/redact.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "envoy/admin/v3/certs.pb.h"
#include "envoy/admin/v3/clusters.pb.h"
#include "envoy/admin/v3/config_dump.pb.h"
#include "envoy/admin/v3/listeners.pb.h"
#include "envoy/admin/v3/server_info.pb.h"
#include "envoy/service/status/v3/csds.pb.h"
#include "source/cache/labels.h"
#include "source/jwt/remote_keys.h"
#include "source/observability/log.h"
#include "source/observability/stats.h"

namespace sluice::admin {

struct Request {
  std::string_view method;          // "GET"
  std::string_view target;          // path with query
  std::string_view host;            // authority
  std::string_view origin;          // the header; empty if absent
  std::string_view sec_fetch_site;  // the header; empty if absent
  std::string_view body = {};
};

struct Response {
  uint16_t status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=UTF-8";
  std::vector<std::pair<std::string, std::string>> headers;  // others than content-type and content-length
};

// (POST /drain_listeners)
struct DrainRequest {
  bool graceful = false;      // connections are asked to end first, and accepting goes on for the drain time
  bool inbound_only = false;  // listeners of inbound traffic
  bool skip_exit = false;     // with `graceful`: accepting goes on after it, too
};

// What became of one resource that the control plane was asked for.
struct ResourceVerdict {
  enum class State : uint8_t { kRequested, kServing, kWarming, kRejected, kAbsent, kTimeout, kFailed };

  std::string type;  // its message
  std::string name;
  State state = State::kRequested;
  std::string version;               // of what was accepted last, and serves if it is kRejected or kFailed now
  std::string waits_for;             // kWarming only
  std::string missing;               // of routes that serve: what they lead to and does not
  std::string rejected_version;      // kRejected only
  std::string error;                 // kRejected: field path and rule; kFailed, kAbsent: what the server said
  bool stored = false;               // it was accepted before the start: nothing good has come since
  std::chrono::milliseconds age{0};  // of the control plane's last word
};

// What the pages show and do. Implemented by the server; called on the main thread only.
class AdminState {
 public:
  virtual ~AdminState() = default;

  // Views. `state` of the server info decides what /ready answers.
  virtual envoy::admin::v3::ServerInfo serverInfo() const = 0;
  // What a server that is INITIALIZING still waits for, as text for /ready; empty: not known.
  virtual std::string notReadyReason() const { return {}; }
  // Hosts with their stats by Envoy's names (cx_active, cx_total, rq_success, ...).
  virtual envoy::admin::v3::Clusters clusters() const = 0;
  // Why the health of one of the hosts that clusters() has is as it is; empty: nothing to say.
  virtual std::string healthReason(const std::string& /*cluster*/, size_t /*host*/) const { return {}; }
  virtual envoy::admin::v3::Listeners listeners() const = 0;
  // All that is in use and its verdicts, with endpoints if they are asked for; redaction is done here.
  virtual envoy::admin::v3::ConfigDump configDump(bool include_endpoints) const = 0;
  // What became of what the control plane sent, as CSDS tells it; redaction is done here.
  virtual envoy::service::status::v3::ClientStatusResponse clientStatus() const { return {}; }
  virtual envoy::admin::v3::Certificates certificates() const = 0;
  virtual const observability::StatsRegistry& stats() const = 0;
  // Keys of tokens that are fetched.
  virtual std::vector<jwt::RemoteKeys::Health> keySets() const { return {}; }
  // By type and name.
  virtual std::vector<ResourceVerdict> verdicts() const { return {}; }
  // What becomes of the request that the parameters describe (explain::requestOf), as JSON, or what is wrong with them.
  virtual Response explain(const std::vector<std::pair<std::string, std::string>>& /*parameters*/) const {
    return {.status = 404, .body = "nothing can be told here\n"};
  }

  // Actions.
  virtual observability::Logger& logger() = 0;
  virtual void quit() = 0;
  virtual void drainListeners(const DrainRequest& request) = 0;
  // While it is failed connections are asked to end; accepting goes on.
  virtual void setHealthCheckFailed(bool failed) = 0;
  // How many answers went, of all caches.
  virtual size_t purgeCaches(const cache::Purge& purge) = 0;
};

Response handle(const Request& request, AdminState& state);

}  // namespace sluice::admin
