// The facts of one stream (an HTTP request, or one TCP connection): what the access log, the formatters, stats and
// filters ask for.
//
// It is a member of the stream, filled by ints and views as things happen, and made new by reset() before the next
// request: a warm one allocates nothing. Thread: the worker of the stream.
// Views point into what outlives the log entry: the connection (addresses), the pinned route table and cluster (names),
// the arena of the stream (details made on the fly), or static text (response code details).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/base/in_place.h"
#include "source/base/local_ptr.h"
#include "source/http/headers.h"
#include "source/net/proxy_tlv.h"
#include "source/net/socket.h"
#include "source/net/transport.h"
#include "source/stream/connection_state.h"
#include "source/stream/downstream_facts.h"
#include "source/stream/filter_state.h"
#include "source/stream/metadata.h"
#include "source/stream/response_flags.h"
#include "source/stream/span.h"

namespace sluice::stream {

// Facts of the TLS connection that a request went by. Shared with the connection, which may end before the log entry is
// written: whoever owns the connection makes it once, and each request holds it.
struct UpstreamTls : base::LocalCounted {
  explicit UpstreamTls(const net::TlsInfo& facts) : info(facts) {}
  const net::TlsInfo info;
};

struct StreamInfo {
  using MonotonicTime = std::chrono::steady_clock::time_point;
  using SystemTime = std::chrono::system_clock::time_point;
  // Since the start; negative: has not happened.
  using Offset = std::chrono::nanoseconds;
  static constexpr Offset kNotYet{-1};

  // --- times ---
  SystemTime start_time{};
  MonotonicTime start{};
  Offset request_end = kNotYet;                // last byte of the request received
  Offset upstream_request_start = kNotYet;     // first byte of the request sent to the upstream
  Offset upstream_pool_wait = kNotYet;         // how long the last attempt waited for its connection
  Offset upstream_request_end = kNotYet;       // last byte of it
  Offset response_start = kNotYet;             // first byte of the response received from the upstream
  Offset response_body_start = kNotYet;        // first byte of its body
  Offset upstream_response_end = kNotYet;      // last byte of it
  Offset downstream_response_start = kNotYet;  // first byte of the response sent downstream
  Offset response_end = kNotYet;               // last byte of it: the stream is complete

  // info.request_end = info.since(now);
  Offset since(MonotonicTime now) const { return std::chrono::duration_cast<Offset>(now - start); }
  SystemTime timeOfDay(MonotonicTime now) const {
    return start_time + std::chrono::duration_cast<SystemTime::duration>(now - start);
  }

  // --- result ---
  http::Protocol protocol = http::Protocol::kHttp11;
  bool has_protocol = false;           // false: a TCP connection, or a request whose head never came
  bool match_upstream_scheme = false;  // the request goes on with the scheme of its host's transport
  uint8_t internal_hops = 0;           // internal listeners that it came through
  bool hides_client = false;           // PROXY protocol tells hosts nothing of who asks
  bool health_check = false;           // somebody asks whether we are well, as a filter says
  uint16_t response_code = 0;          // 0: none was sent
  uint16_t attempt_count = 0;
  uint32_t internal_redirects = 0;  // how often the request was led on before it came to what is told here
  int grpc_status = -1;             // where a filter took it out of the trailers; negative: look there
  ResponseFlags response_flags;
  std::string_view response_code_details;  // "via_upstream", "route_not_found"
  std::string_view connection_termination_details;
  std::string_view upstream_transport_failure_reason;

  // --- sizes, bytes ---
  uint64_t bytes_received = 0;  // request body
  uint64_t bytes_sent = 0;      // response body
  uint64_t request_header_bytes = 0;
  uint64_t response_header_bytes = 0;
  uint64_t response_trailer_bytes = 0;
  uint64_t upstream_wire_bytes_sent = 0;
  uint64_t upstream_wire_bytes_received = 0;
  uint64_t downstream_wire_bytes_sent = 0;
  uint64_t downstream_wire_bytes_received = 0;

  // --- where it went ---
  std::string_view route_name;
  const MetadataFields* route_metadata = nullptr;  // what the configuration says of the route; null: nothing
  std::string_view virtual_host_name;
  const MetadataFields* virtual_host_metadata = nullptr;  // null: nothing
  std::string_view virtual_cluster_name;
  std::string_view upstream_cluster;    // the cluster's name (or its alt_stat_name)
  std::string_view upstream_host;       // address with port
  std::string_view upstream_host_name;  // the host's name in its endpoint, or its address
  std::string_view upstream_local_address;
  uint64_t upstream_connection_id = 0;
  // When that connection was made, which may be long before the request came. What is not known is MonotonicTime().
  struct UpstreamConnect {
    MonotonicTime begin{};
    MonotonicTime end{};            // without its handshake
    MonotonicTime handshake_end{};  // of TLS
  };
  UpstreamConnect upstream_connect;
  std::optional<http::Protocol> upstream_protocol;  // of that connection; nullopt: none, or one without HTTP
  // Where earlier attempts went, in order. Null: there was one at most.
  struct Attempted {
    std::string_view host, host_name;
    uint64_t connection_id = 0;  // 0: it had none
  };
  std::unique_ptr<std::vector<Attempted>> attempted;

  // The attempt at `upstream_host` failed, and another one will be made.
  void noteAttempt() {
    if (!attempted) attempted = std::make_unique<std::vector<Attempted>>();
    attempted->push_back({upstream_host, upstream_host_name, std::exchange(upstream_connection_id, 0)});
  }
  // What the configuration says of the cluster and the host; null where it says nothing.
  struct UpstreamMetadata {
    FixedMetadata cluster;
    FixedMetadata host;
  };
  std::unique_ptr<UpstreamMetadata> upstream_metadata;

  void setUpstreamMetadata(const FixedMetadata& cluster, const FixedMetadata& host) {
    if (!cluster && !host && !upstream_metadata) return;
    upstream_metadata = std::make_unique<UpstreamMetadata>(UpstreamMetadata{cluster, host});
  }

  // --- where it came from: text with port ---
  std::string_view downstream_remote_address;           // after x-forwarded-for and PROXY protocol
  std::string_view downstream_direct_remote_address;    // of the socket
  std::string_view downstream_local_address;            // where the client wanted to go
  bool redirected = false;                              // which is not where it was accepted
  std::string_view requested_server_name;               // SNI
  std::string_view listener_name, filter_chain_name;    // where it was accepted; empty: it has no name
  const ListenerMetadata* listener_metadata = nullptr;  // null: the configuration says nothing of the two
  net::Transport* downstream_transport = nullptr;       // null: a plain socket; of the connection
  base::LocalPtr<UpstreamTls> upstream_tls;             // null: not TLS
  std::string_view downstream_transport_failure_reason;
  const DownstreamFacts* downstream = nullptr;  // of the connection; null: not kept
  uint64_t connection_id = 0;
  std::string_view request_id;  // x-request-id

  // What the configuration says of the listener or of the filter chain; null: nothing.
  const MetadataFields* acceptedMetadata(FixedMetadata ListenerMetadata::*of) const {
    return listener_metadata == nullptr ? nullptr : (listener_metadata->*of).fields();
  }
  // Null: not TLS. Put together at the first call on a connection.
  const net::TlsInfo* downstreamTls() const {
    return downstream_transport == nullptr ? nullptr : downstream_transport->tlsInfo();
  }

  // --- what filters left; null until the first one leaves something ---
  base::InPlace<DynamicMetadata> dynamic_metadata;
  std::unique_ptr<FilterState> filter_state;
  std::shared_ptr<const net::ProxyTlvs> client_tlvs;  // as of ConnectionState; null: none
  // From where connections to hosts come on its behalf; null: from an address of the proxy.
  std::unique_ptr<net::BorrowedSource> upstream_source;

  DynamicMetadata& metadata() { return dynamic_metadata ? *dynamic_metadata : dynamic_metadata.emplace(); }
  FilterState& filterState() {
    if (!filter_state) filter_state = std::make_unique<FilterState>();
    return *filter_state;
  }

  // A copy of what was left for the connection: what this stream leaves is its own.
  void beginWith(const ConnectionState& left) {
    if (!left.metadata.fields().empty()) dynamic_metadata.emplace(left.metadata);
    client_tlvs = left.tlvs;
    if (left.source) upstream_source = std::make_unique<net::BorrowedSource>(*left.source);
    if (left.filter_state.size() > 0) filter_state = std::make_unique<FilterState>(left.filter_state);
  }

  std::unique_ptr<Span> span;  // null: not traced

  // Made anew in its place: an assignment would copy a second one.
  void reset() {
    std::destroy_at(this);
    std::construct_at(this);
  }
};

}  // namespace sluice::stream
