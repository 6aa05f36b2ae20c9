#include "source/config/cluster_compiler.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "source/config/any_type.h"
#include "source/config/assignment_compiler.h"
#include "source/config/format/substitution_format.h"
#include "source/config/holding.h"
#include "source/config/http2_options.h"

namespace sluice::config {

namespace {

using envoy::config::cluster::v3::CircuitBreakers;
using envoy::config::cluster::v3::Cluster;
using envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
using std::chrono::milliseconds;
using upstream::cluster::Assignment;
using upstream::cluster::ClusterConfig;
using upstream::cluster::DiscoveryType;
using upstream::cluster::LbPolicy;
using upstream::cluster::Thresholds;
using upstream::cluster::UpstreamHttpConfig;
using upstream::cluster::UpstreamProtocol;

constexpr const char* kHttpOptionsKey = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
constexpr uint32_t kMaxChoiceCount = 1000;

// At least 1 ms for anything above 0, and at most ten years, so that a deadline can always be computed.
milliseconds toMilliseconds(const google::protobuf::Duration& duration) {
  constexpr int64_t kMaxSeconds = int64_t{10} * 365 * 24 * 3600;
  const int64_t seconds = std::clamp<int64_t>(duration.seconds(), 0, kMaxSeconds);
  return milliseconds(seconds * 1000 + (std::max(duration.nanos(), 0) + 999'999) / 1'000'000);
}

template <typename Wrapper>
uint32_t valueOr(bool has, const Wrapper& wrapper, uint32_t fallback) {
  return has ? wrapper.value() : fallback;
}

// One use: compiles one cluster.
class ClusterCompiler {
 public:
  ClusterCompiler(const Cluster& proto, const Context& context, Services* services, InitTargets* init)
      : proto_(proto), context_(context), services_(services), init_(init), out_(std::make_shared<ClusterConfig>()) {}

  std::shared_ptr<const ClusterConfig> compile() {
    const size_t errors_before = context_.errors().total();
    compileNames();
    compileDiscovery();
    compileConnection();
    compileLb();
    compileBreakers();
    compileDns();
    compileHttp();
    compileTransportSocket();
    out_->content_hash = clusterContentHash(proto_);
    return context_.errors().total() == errors_before ? out_ : nullptr;
  }

 private:
  void compileNames() {
    if (proto_.name().empty()) context_.child("name").error("a cluster needs a name");
    out_->name = proto_.name();
    out_->stat_name = proto_.alt_stat_name().empty() ? proto_.name() : proto_.alt_stat_name();
    std::replace(out_->stat_name.begin(), out_->stat_name.end(), ':', '_');
    out_->metadata = metadataOf(proto_.metadata());
  }

  void compileDiscovery() {
    switch (proto_.type()) {
      case Cluster::STATIC:
        out_->discovery = DiscoveryType::kStatic;
        break;
      case Cluster::STRICT_DNS:
        out_->discovery = DiscoveryType::kStrictDns;
        break;
      case Cluster::EDS:
        out_->discovery = DiscoveryType::kEds;
        break;
      case Cluster::ORIGINAL_DST:
        out_->discovery = DiscoveryType::kOriginalDst;
        break;
      default:
        context_.child("type").error(
            absl::StrCat(discoveryName(), " is not supported yet; use STATIC, STRICT_DNS, EDS or ORIGINAL_DST"));
        return;
    }
    if (out_->discovery != DiscoveryType::kOriginalDst) refuseOriginalDst();
    if (out_->discovery == DiscoveryType::kEds) {
      compileEds();
    } else if (out_->discovery == DiscoveryType::kOriginalDst) {
      compileOriginalDst();
    } else {
      compileEndpoints();
    }
  }

  std::string discoveryName() const {
    const std::string& name = Cluster::DiscoveryType_Name(proto_.type());
    return name.empty() ? absl::StrCat("type ", static_cast<int>(proto_.type())) : name;
  }

  void compileEds() {
    if (!proto_.eds_cluster_config().has_eds_config()) {
      context_.child("eds_cluster_config")
          .error("a cluster of type EDS needs eds_config: where its endpoints come from");
    }
    if (proto_.has_load_assignment()) {
      context_.child("load_assignment").warn("not used: the endpoints of a cluster of type EDS come from eds_config");
    }
    const std::string& service = proto_.eds_cluster_config().service_name();
    out_->eds_service_name = service.empty() ? proto_.name() : service;
  }

  void refuseEds() {
    if (proto_.has_eds_cluster_config()) {
      context_.child("eds_cluster_config")
          .error("only a cluster of type EDS may have eds_cluster_config; set type: EDS");
    }
  }

  void refuseOriginalDst() {
    if (proto_.has_original_dst_lb_config()) {
      context_.child("original_dst_lb_config").error("only a cluster of type ORIGINAL_DST may have it");
    }
    if (proto_.lb_policy() == Cluster::CLUSTER_PROVIDED) {
      context_.child("lb_policy").error("CLUSTER_PROVIDED goes with type ORIGINAL_DST only");
    }
  }

  void compileOriginalDst() {
    refuseEds();
    upstream::cluster::OriginalDstConfig& out = out_->original_dst;
    if (proto_.has_load_assignment()) {
      context_.child("load_assignment")
          .error("a cluster of type ORIGINAL_DST has no endpoints but those that connections were going to");
    }
    if (proto_.lb_policy() != Cluster::CLUSTER_PROVIDED) {
      context_.child("lb_policy").error("a cluster of type ORIGINAL_DST needs CLUSTER_PROVIDED");
    }
    if (proto_.has_cleanup_interval()) out.cleanup_interval = toMilliseconds(proto_.cleanup_interval());
    const Cluster::OriginalDstLbConfig& lb = proto_.original_dst_lb_config();
    const Context at = context_.child("original_dst_lb_config");
    if (lb.use_http_header()) {
      out.header =
          lb.http_header_name().empty() ? "x-envoy-original-dst-host" : absl::AsciiStrToLower(lb.http_header_name());
      if (out.header.front() == ':' && out.header != ":authority") {
        at.child("http_header_name").error("of the pseudo headers only :authority can tell an address");
      }
    } else if (!lb.http_header_name().empty()) {
      at.child("http_header_name").error("is not looked at without use_http_header: true");
    }
    if (!lb.has_upstream_port_override()) return;
    out.port_override = static_cast<uint16_t>(lb.upstream_port_override().value());
    if (out.port_override == 0) at.child("upstream_port_override").error("a host needs a port from 1 to 65535");
  }

  void compileEndpoints() {
    refuseEds();
    const Context at = context_.child("load_assignment");
    if (!proto_.has_load_assignment()) {
      at.warn("the cluster has no endpoints: every request to it will be answered with 503");
      return;
    }
    if (proto_.load_assignment().cluster_name() != proto_.name()) {
      at.child("cluster_name")
          .warn(absl::StrCat("'", proto_.load_assignment().cluster_name(), "' is not the cluster's name '",
                             proto_.name(), "'"));
    }
    const bool dns = out_->discovery == DiscoveryType::kStrictDns;
    out_->assignment =
        compileAssignment(proto_.load_assignment(), dns ? EndpointNames::kResolved : EndpointNames::kAddressesOnly, at);
  }

  void compileConnection() {
    if (proto_.has_connect_timeout()) out_->connect_timeout = toMilliseconds(proto_.connect_timeout());
    if (out_->connect_timeout.count() == 0) {
      context_.child("connect_timeout").error("the connect timeout must be above 0");
    }
    if (proto_.has_per_connection_buffer_limit_bytes()) {
      out_->per_connection_buffer_limit = proto_.per_connection_buffer_limit_bytes().value();
    }
  }

  void compileLb() {
    switch (proto_.lb_policy()) {
      case Cluster::ROUND_ROBIN:
        out_->lb.policy = LbPolicy::kRoundRobin;
        break;
      case Cluster::LEAST_REQUEST:
        out_->lb.policy = LbPolicy::kLeastRequest;
        break;
      case Cluster::RANDOM:
        out_->lb.policy = LbPolicy::kRandom;
        break;
      case Cluster::CLUSTER_PROVIDED:
        break;
      default:
        context_.child("lb_policy")
            .error(absl::StrCat(Cluster::LbPolicy_Name(proto_.lb_policy()),
                                " is not supported yet; use ROUND_ROBIN, LEAST_REQUEST or RANDOM"));
    }
    if (proto_.has_least_request_lb_config()) compileLeastRequest();
    out_->lb.locality_weighted = proto_.common_lb_config().has_locality_weighted_lb_config();
    if (proto_.common_lb_config().has_healthy_panic_threshold()) {
      out_->lb.panic_threshold = proto_.common_lb_config().healthy_panic_threshold().value();
    }
  }

  void compileLeastRequest() {
    const Context at = context_.child("least_request_lb_config");
    if (proto_.lb_policy() != Cluster::LEAST_REQUEST) at.warn("not used: lb_policy is not LEAST_REQUEST");
    if (!proto_.least_request_lb_config().has_choice_count()) return;
    out_->lb.choice_count = proto_.least_request_lb_config().choice_count().value();
    if (out_->lb.choice_count < 2 || out_->lb.choice_count > kMaxChoiceCount) {
      at.child("choice_count")
          .error(absl::StrCat("the number of hosts to compare must be from 2 to ", kMaxChoiceCount, ", not ",
                              out_->lb.choice_count));
    }
  }

  void compileBreakers() {
    bool seen[upstream::cluster::kRoutingPriorities] = {};
    const CircuitBreakers& breakers = proto_.circuit_breakers();
    for (int i = 0; i < breakers.thresholds_size(); ++i) {
      const CircuitBreakers::Thresholds& proto = breakers.thresholds(i);
      const Context at = context_.child("circuit_breakers").child("thresholds", static_cast<size_t>(i));
      const auto priority = static_cast<size_t>(proto.priority());
      if (priority >= upstream::cluster::kRoutingPriorities) {
        at.child("priority").error("the priority must be DEFAULT or HIGH");
        continue;
      }
      if (std::exchange(seen[priority], true)) {
        at.warn("not used: earlier thresholds of the same priority apply");
        continue;
      }
      Thresholds& out = out_->thresholds[priority];
      out.max_connections = valueOr(proto.has_max_connections(), proto.max_connections(), out.max_connections);
      out.max_pending_requests =
          valueOr(proto.has_max_pending_requests(), proto.max_pending_requests(), out.max_pending_requests);
      out.max_requests = valueOr(proto.has_max_requests(), proto.max_requests(), out.max_requests);
      out.max_retries = valueOr(proto.has_max_retries(), proto.max_retries(), out.max_retries);
    }
  }

  void compileDns() {
    upstream::cluster::DnsConfig& dns = out_->dns;
    if (proto_.has_dns_refresh_rate()) dns.refresh_rate = toMilliseconds(proto_.dns_refresh_rate());
    if (dns.refresh_rate <= milliseconds(1)) {
      context_.child("dns_refresh_rate").error("the refresh rate must be above 1 ms");
    }
    dns.respect_ttl = proto_.respect_dns_ttl();
    dns.jitter = toMilliseconds(proto_.dns_jitter());
    if (proto_.dns_lookup_family() < Cluster::AUTO || proto_.dns_lookup_family() > Cluster::ALL) {
      context_.child("dns_lookup_family").error("use AUTO, V4_ONLY, V6_ONLY, V4_PREFERRED or ALL");
    }
    dns.lookup_family = static_cast<net::DnsLookupFamily>(proto_.dns_lookup_family());
    if (!proto_.has_dns_failure_refresh_rate()) return;
    const Cluster::RefreshRate& failure = proto_.dns_failure_refresh_rate();
    dns.failure_base_interval = toMilliseconds(failure.base_interval());
    dns.failure_max_interval =
        failure.has_max_interval() ? toMilliseconds(failure.max_interval()) : 10 * dns.failure_base_interval;
    if (dns.failure_max_interval < dns.failure_base_interval) {
      context_.child("dns_failure_refresh_rate").error("max_interval must not be shorter than base_interval");
    }
  }

  void compileHttp() {
    const auto& typed = proto_.typed_extension_protocol_options();
    bool has_typed = false;
    for (const auto& [key, any] : typed) {
      const Context at = context_.entry("typed_extension_protocol_options", key);
      if (key != kHttpOptionsKey) {
        at.error(absl::StrCat("only the key ", kHttpOptionsKey, " is supported"));
        continue;
      }
      has_typed = true;
      const auto message = unpackAny(any, at);
      if (message == nullptr) continue;
      const auto* options = dynamic_cast<const HttpProtocolOptions*>(message.get());
      if (options == nullptr) {
        at.error(absl::StrCat("the type must be ", kHttpOptionsKey, ", not ", message->GetTypeName()));
        continue;
      }
      compileHttpOptions(*options, at);
    }
    compileOldHttpFields(has_typed);
  }

  void compileTransportSocket() {
    const bool automatic = out_->http.protocol == UpstreamProtocol::kAuto;
    if (automatic && !proto_.has_transport_socket()) {
      context_.child("transport_socket")
          .error(
              "auto_config lets the upstream choose by ALPN, which needs TLS; add a TLS transport_socket, or use "
              "explicit_http_config");
    }
    if (!proto_.has_transport_socket() || services_ == nullptr) return;
    const FactoryContext at =
        Holding(*services_, init_).context(context_.child("transport_socket"), std::string(out_->stat_name));
    out_->transport = compileTransport(proto_.transport_socket(), TransportSide::kUpstream, at);
    if (automatic && out_->transport && !out_->transport->isTls()) {
      context_.child("transport_socket").error("auto_config lets the upstream choose by ALPN, which needs TLS");
    }
  }

  void compileHttpOptions(const HttpProtocolOptions& options, const Context& context) {
    switch (options.upstream_protocol_options_case()) {
      case HttpProtocolOptions::kExplicitHttpConfig:
        compileExplicit(options.explicit_http_config(), context.child("explicit_http_config"));
        break;
      case HttpProtocolOptions::kUseDownstreamProtocolConfig:
        compileBoth(options.use_downstream_protocol_config(), context.child("use_downstream_protocol_config"));
        out_->http.protocol = UpstreamProtocol::kDownstream;
        break;
      case HttpProtocolOptions::kAutoConfig:
        compileBoth(options.auto_config(), context.child("auto_config"));
        out_->http.protocol = UpstreamProtocol::kAuto;
        break;
      default:
        context.error(
            "say which protocol the upstream speaks: explicit_http_config, auto_config or "
            "use_downstream_protocol_config");
    }
    compileCommonHttp(options.common_http_protocol_options(), context.child("common_http_protocol_options"));
    const auto& upstream = options.upstream_http_protocol_options();
    out_->http.auto_sni = upstream.auto_sni();
    out_->http.auto_san_validation = upstream.auto_san_validation();
    out_->http.override_auto_sni_header = absl::AsciiStrToLower(upstream.override_auto_sni_header());
  }

  void compileExplicit(const HttpProtocolOptions::ExplicitHttpConfig& config, const Context& context) {
    if (config.has_http_protocol_options()) {
      compileHttp1(config.http_protocol_options(), context.child("http_protocol_options"));
    } else if (config.has_http2_protocol_options()) {
      compileHttp2(config.http2_protocol_options());
    } else {
      context.error("say which protocol the upstream speaks: http_protocol_options or http2_protocol_options");
    }
  }

  // Either protocol may be spoken.
  template <typename Config>
  void compileBoth(const Config& config, const Context& context) {
    compileHttp1(config.http_protocol_options(), context.child("http_protocol_options"));
    compileHttp2(config.http2_protocol_options());
  }

  // The fields of before HttpProtocolOptions; not used if that is there.
  void compileOldHttpFields(bool has_typed) {
    const std::pair<bool, const char*> fields[] = {
        {proto_.has_http_protocol_options(), "http_protocol_options"},
        {proto_.has_http2_protocol_options(), "http2_protocol_options"},
        {proto_.has_common_http_protocol_options(), "common_http_protocol_options"},
    };
    if (has_typed) {
      for (const auto& [set, field] : fields) {
        if (set) context_.child(field).warn("not used: typed_extension_protocol_options says how to speak HTTP");
      }
    } else {
      if (proto_.has_http_protocol_options() && proto_.has_http2_protocol_options()) {
        context_.child("http2_protocol_options").error("set http_protocol_options or http2_protocol_options, not both");
      }
      if (proto_.has_http_protocol_options()) {
        compileHttp1(proto_.http_protocol_options(), context_.child("http_protocol_options"));
      }
      if (proto_.has_http2_protocol_options()) compileHttp2(proto_.http2_protocol_options());
      compileCommonHttp(proto_.common_http_protocol_options(), context_.child("common_http_protocol_options"));
    }
    if (proto_.has_max_requests_per_connection() && out_->http.max_requests_per_connection == 0) {
      out_->http.max_requests_per_connection = proto_.max_requests_per_connection().value();
    }
  }

  void compileHttp1(const envoy::config::core::v3::Http1ProtocolOptions& options, const Context& context) {
    out_->http.enable_trailers = options.enable_trailers();
    out_->http.allow_chunked_length = options.allow_chunked_length();
    const std::pair<bool, const char*> downstream_only[] = {
        {options.has_allow_absolute_url(), "allow_absolute_url"},
        {options.accept_http_10(), "accept_http_10"},
        {!options.default_host_for_http_10().empty(), "default_host_for_http_10"},
    };
    for (const auto& [set, field] : downstream_only) {
      if (set) context.child(field).warn("not used: it is about requests of clients, this is a cluster");
    }
  }

  void compileHttp2(const envoy::config::core::v3::Http2ProtocolOptions& options) {
    out_->http.protocol = UpstreamProtocol::kHttp2;
    const bool edge = services_ == nullptr || services_->defaults == Defaults::kEdge;
    const Http2Options http2 = compileHttp2Options(options, !edge);
    out_->http.http2 = http2.settings;
    out_->http.http2_keepalive_interval = http2.keepalive_interval;
    out_->http.http2_keepalive_timeout = http2.keepalive_timeout;
    out_->http.http2_keepalive_jitter_percent = http2.keepalive_jitter_percent;
    if (options.has_max_concurrent_streams()) {
      out_->http.max_concurrent_streams = options.max_concurrent_streams().value();
    } else if (!edge) {
      out_->http.max_concurrent_streams = http2.settings.max_concurrent_streams;
    }
  }

  void compileCommonHttp(const envoy::config::core::v3::HttpProtocolOptions& options, const Context& context) {
    UpstreamHttpConfig& http = out_->http;
    if (options.has_idle_timeout()) http.idle_timeout = toMilliseconds(options.idle_timeout());
    if (options.has_max_connection_duration()) {
      http.max_connection_duration = toMilliseconds(options.max_connection_duration());
    }
    http.max_headers_count =
        valueOr(options.has_max_headers_count(), options.max_headers_count(), http.max_headers_count);
    http.max_requests_per_connection = options.max_requests_per_connection().value();
    if (options.has_max_stream_duration()) {
      context.child("max_stream_duration")
          .error("not supported for clusters yet; limit requests with the route's timeout");
    }
    if (options.headers_with_underscores_action() != envoy::config::core::v3::HttpProtocolOptions::ALLOW) {
      context.child("headers_with_underscores_action")
          .warn("not used: it is about requests of clients, this is a cluster");
    }
  }

  const Cluster& proto_;
  const Context& context_;
  Services* const services_;
  InitTargets* const init_;
  const std::shared_ptr<ClusterConfig> out_;
};

}  // namespace

std::shared_ptr<const ClusterConfig> compileCluster(const Cluster& cluster, const Context& context, Services* services,
                                                    InitTargets* init) {
  return ClusterCompiler(cluster, context, services, init).compile();
}

std::optional<Assignment> compileEdsAssignment(const envoy::config::endpoint::v3::ClusterLoadAssignment& assignment,
                                               std::string_view service_name, const Context& context) {
  const size_t errors_before = context.errors().total();
  if (assignment.cluster_name() != service_name) {
    context.child("cluster_name")
        .error(absl::StrCat("'", assignment.cluster_name(), "' is not the name that was asked for, '",
                            absl::string_view(service_name.data(), service_name.size()), "'"));
  }
  Assignment out = compileAssignment(assignment, EndpointNames::kAddressesOnly, context);
  if (context.errors().total() != errors_before) return std::nullopt;
  return out;
}

uint64_t clusterContentHash(const Cluster& cluster) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    cluster.SerializeToCodedStream(&coded);
  }
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  return hash;
}

}  // namespace sluice::config
