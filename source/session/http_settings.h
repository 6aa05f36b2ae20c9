// The compiled HTTP connection manager: what a session needs to know of its configuration. Immutable, shared by all
// workers. (proto: envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager)
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/filter/chain_config.h"
#include "source/filter/local_reply.h"
#include "source/filter/terminal.h"
#include "source/http/codec.h"
#include "source/observability/stats.h"
#include "source/route/mutation.h"
#include "source/route/scopes.h"
#include "source/route/spec.h"
#include "source/route/table_slot.h"
#include "source/session/client_origin.h"
#include "source/session/proxy_status.h"
#include "source/session/strict_report.h"
#include "source/stream/access_log.h"
#include "source/stream/metadata.h"
#include "source/stream/tracer.h"

namespace sluice::match {
struct Matcher;
}

namespace sluice::session {

using std::chrono::milliseconds;

// http.PREFIX.*; made on main.
struct HttpStats {
  observability::Counter cx_total, cx_destroy, cx_idle_timeout, cx_protocol_error, cx_rx_bytes_total, cx_tx_bytes_total,
      cx_drain_close, cx_max_duration_reached, cx_max_requests_reached, cx_http1_total, cx_http2_total, cx_ssl_total,
      cx_transport_failed, cx_transport_timeout, cx_keepalive_timeout, cx_upgrades_total;
  observability::Gauge cx_active, cx_http1_active, cx_http2_active, cx_ssl_active, cx_upgrades_active, rq_active;
  observability::Counter rq_total, rq_completed, rq_1xx, rq_2xx, rq_3xx, rq_4xx, rq_5xx, rq_rx_reset, rq_tx_reset,
      rq_timeout, rq_header_timeout, rq_idle_timeout, rq_max_duration_reached, rq_dropped_token, rq_rejected_path,
      rq_http1_total, rq_http2_total, rq_misdirected, rq_upgrade_refused;
  // Redirects that were passed on though the route wanted them followed.
  observability::Counter redirect_bad_location, redirect_unsafe_scheme, redirect_too_many, redirect_no_route,
      redirect_predicate;
  observability::Histogram rq_time;
};

// kAuto: by ALPN, or by the client's first bytes. (proto: HttpConnectionManager.CodecType)
enum class CodecType : uint8_t { kAuto, kHttp1, kHttp2 };
enum class ServerHeader : uint8_t { kOverwrite, kAppendIfAbsent, kPassThrough };
enum class EscapedSlashes : uint8_t { kKeep, kReject, kUnescapeAndRedirect, kUnescapeAndForward };
enum class Underscores : uint8_t { kAllow, kReject, kDrop };

enum class ForwardClientCert : uint8_t { kSanitize, kForwardOnly, kAppendForward, kSanitizeSet, kAlwaysForwardOnly };

// x-forwarded-client-cert; the flags say what kAppendForward and kSanitizeSet tell besides By and Hash.
struct ClientCertSettings {
  ForwardClientCert forward = ForwardClientCert::kSanitize;
  bool subject = false;
  bool issuer = false;
  bool cert = false;
  bool chain = false;
  bool dns = false;
  bool uri = false;
};

// A choice for each request. (proto: HttpConnectionManager.forward_client_cert_matcher)
struct ClientCertChoice {
  std::shared_ptr<const match::Matcher> matcher;  // its actions: places in `settings`
  std::vector<ClientCertSettings> settings;
};

// Ports that clients of a PROXY protocol header wanted to go to, and what they spoke there.
// (proto: ForwardProtoConfig)
struct ForwardProtoPorts {
  std::vector<uint16_t> https, http;
};

// Who forwards the request. (proto: HttpConnectionManager.add_user_agent)
struct UserAgent {
  std::string cluster, node;  // empty: not said
};

// When access logs get entries besides that at the end. (proto: HttpConnectionManager.HcmAccessLogOptions)
struct AccessLogTimes {
  milliseconds interval{0};  // 0: none while the stream lasts
  bool on_request = false;
  bool on_tunnel = false;
};

// The filters of an upgrade that has its own. (proto: UpgradeConfig.filters)
struct UpgradeChain {
  std::string type;  // in lower case; "connect"
  std::shared_ptr<const filter::ChainSlot> chain;
  std::shared_ptr<const filter::TerminalConfig> terminal;
};

struct HttpSettings {
  std::string stat_prefix;
  std::string listener_name, filter_chain_name;                       // where connections are accepted; empty: no name
  std::shared_ptr<const stream::ListenerMetadata> listener_metadata;  // null: nothing is said of them
  HttpStats stats;
  std::shared_ptr<const filter::ChainSlot> chain;
  std::shared_ptr<const filter::ReplyMapper> reply_mapper;  // null: local replies go as they are
  std::shared_ptr<const filter::TerminalConfig> terminal;
  // Where the worker's RouteTables keep the table; freed when the last user of these settings is gone. Null with
  // `scopes`.
  std::shared_ptr<const route::TableSlot> route_slot;
  std::shared_ptr<const route::ScopesSlot> scopes;  // of which each request uses its own table; null: none
  std::shared_ptr<const ProxyStatus> proxy_status;  // null: responses have no such field
  stream::AccessLogs access_logs;
  std::optional<AccessLogTimes> log_times;
  std::shared_ptr<const stream::Tracer> tracer;  // null: nothing is traced

  CodecType codec_type = CodecType::kAuto;
  http::CodecLimits codec_limits;
  std::shared_ptr<const http::UpgradeFilter> ignored_upgrades;  // those of codec_limits
  std::string default_host;  // of HTTP/1.0 requests without one; empty: they have none
  http::Http2Settings http2;
  // HTTP/2: a message that breaks a rule ends its connection, not its stream only.
  bool ends_at_invalid_message = false;
  // Of HTTP/2 connections; no pings while the interval is 0. (proto: core.v3.KeepaliveSettings)
  milliseconds keepalive_interval{0};
  milliseconds keepalive_timeout{0};
  uint32_t keepalive_jitter_percent = 15;  // of the interval, added to it
  std::string server_name = "sluice";
  ServerHeader server_header = ServerHeader::kOverwrite;
  std::string via;  // is added to requests and responses; empty: none

  std::vector<UpgradeChain> upgrade_chains;
  std::vector<route::UpgradeSpec> upgrades;  // what routes say goes first; what nobody allows is answered 403

  // Timeouts; 0: none.
  milliseconds stream_idle_timeout{300'000};
  milliseconds request_timeout{0};          // until the whole request is here
  milliseconds request_body_timeout{0};     // without a byte of a request that is not whole and not answered
  milliseconds request_headers_timeout{0};  // from the first byte of a head to its end
  milliseconds idle_timeout{3'600'000};     // of a connection without streams
  milliseconds max_connection_duration{0};
  double max_connection_duration_jitter = 0;  // up to this part of it is added
  bool closes_old_idle = false;               // HTTP/1 connections that are too old and idle: drain_timeout later
  milliseconds drain_timeout{5000};           // from the notice of HTTP/2 that it drains to the last stream's number
  double drain_timeout_jitter = 0;
  std::optional<milliseconds> stream_flush_timeout;  // of answers that an HTTP/2 client holds back; nullopt: as idle
  milliseconds max_stream_duration{0};
  milliseconds delayed_close_timeout{1000};
  uint32_t max_requests_per_connection = 0;  // 0: no limit

  bool proxies_continue = false;  // a host says whether it wants the body of a client that asks, not we

  bool use_remote_address = false;
  uint32_t xff_num_trusted_hops = 0;
  bool skip_xff_append = false;
  bool mapped_ipv4 = false;  // IPv4 addresses are added to x-forwarded-for as IPv6 ones
  bool append_forwarded_port = false;
  // Whose x-envoy-* counts; nullopt: nobody's.
  std::optional<InternalAddresses> internal_addresses;
  // How the client is found instead of by xff_num_trusted_hops; empty: so.
  std::vector<OriginDetection> origin_detections;
  ForwardProtoPorts forward_proto;
  std::string scheme;                           // what :scheme and x-forwarded-proto say; empty: what is so
  bool match_upstream_scheme = false;           // the request goes on with the scheme of the upstream's transport
  std::shared_ptr<const UserAgent> user_agent;  // null: not added
  std::vector<route::HeaderMutations> early_mutations;
  bool generate_request_id = true;
  bool preserve_external_request_id = false;
  bool always_set_request_id_in_response = false;
  bool normalize_path = false;
  bool merge_slashes = false;
  EscapedSlashes escaped_slashes = EscapedSlashes::kKeep;
  Underscores underscores = Underscores::kAllow;
  bool strip_forwarded = false;  // at an edge what clients say in the name of proxies goes (x-real-ip, forwarded, ...)
  bool strip_any_host_port = false;
  bool strip_matching_host_port = false;
  bool strip_trailing_host_dot = false;
  ClientCertSettings client_cert;
  std::shared_ptr<const ClientCertChoice> client_cert_choice;  // null: client_cert holds for all
  bool hides_client = false;                                   // nothing of clients is told hosts by PROXY protocol
  std::shared_ptr<const StrictReport> strict;                  // of codec_limits.report_only; null: that is empty
};

}  // namespace sluice::session
