#include "source/config/health_compiler.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/health_check/event_sinks/file/v3/file.pb.h"
#include "envoy/extensions/health_checkers/redis/v3/redis.pb.h"
#include "google/protobuf/wrappers.pb.h"
#include "source/base/text.h"
#include "source/config/any_type.h"
#include "source/config/format/substitution_format.h"
#include "source/config/route_mutations.h"
#include "source/config/route_texts.h"
#include "source/config/values.h"
#include "source/http/grpc.h"
#include "source/upstream/cluster/transport_match.h"

namespace sluice::config {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::cluster::v3::OutlierDetection;
using envoy::config::core::v3::HealthCheck;
using envoy::extensions::health_check::event_sinks::file::v3::HealthCheckEventFileSink;
using RedisCheck = envoy::extensions::health_checkers::redis::v3::Redis;
using google::protobuf::RepeatedPtrField;
using google::protobuf::UInt32Value;
using upstream::cluster::Detection;
using upstream::cluster::HealthCheckConfig;
using upstream::cluster::OutlierConfig;
using Headers = std::vector<std::pair<std::string, std::string>>;
using Millis = std::chrono::milliseconds;

// Envoy's, which logs and rules of hosts know.
constexpr const char* kUserAgent = "Envoy/HC";

std::shared_ptr<observability::LogFile> openLog(const std::string& path, const Context& context,
                                                const Services& services) {
  if (path.empty() || services.log_files == nullptr) return nullptr;
  auto file = services.log_files->open(path);
  if (file.ok()) return *std::move(file);
  context.error(base::toStd(file.status().message()));
  return nullptr;
}

// --- active checks ---

// One use.
class CheckCompiler {
 public:
  CheckCompiler(const HealthCheck& proto, const Context& context, const Services& services)
      : proto_(proto), context_(context), services_(services), out_(std::make_shared<HealthCheckConfig>()) {}

  std::shared_ptr<const HealthCheckConfig> compile() {
    const ErrorMark mark(context_);
    compileTimes();
    out_->healthy_threshold = threshold(proto_.healthy_threshold(), "healthy_threshold");
    out_->unhealthy_threshold = threshold(proto_.unhealthy_threshold(), "unhealthy_threshold");
    out_->reuse_connection = !proto_.has_reuse_connection() || proto_.reuse_connection().value();
    if (proto_.has_http_health_check()) {
      compileHttp(proto_.http_health_check(), context_.child("http_health_check"));
    } else if (proto_.has_tcp_health_check()) {
      compileTcp(proto_.tcp_health_check(), context_.child("tcp_health_check"));
    } else if (proto_.has_grpc_health_check()) {
      compileGrpc(proto_.grpc_health_check(), context_.child("grpc_health_check"));
    } else if (proto_.has_custom_health_check()) {
      compileCustom(proto_.custom_health_check(), context_.child("custom_health_check"));
    } else {
      context_.error(
          "says how to check: http_health_check, tcp_health_check, grpc_health_check or custom_health_check");
    }
    compileTransport();
    compileLogs();
    return mark.hit() ? nullptr : out_;
  }

 private:
  static Millis or_(bool has, const google::protobuf::Duration& duration, Millis otherwise) {
    return has ? compileMilliseconds(duration) : otherwise;
  }

  void compileTimes() {
    HealthCheckConfig& out = *out_;
    out.timeout = compileMilliseconds(proto_.timeout());
    out.interval = compileMilliseconds(proto_.interval());
    out.unhealthy_interval = or_(proto_.has_unhealthy_interval(), proto_.unhealthy_interval(), out.interval);
    out.unhealthy_edge_interval =
        or_(proto_.has_unhealthy_edge_interval(), proto_.unhealthy_edge_interval(), out.unhealthy_interval);
    out.healthy_edge_interval = or_(proto_.has_healthy_edge_interval(), proto_.healthy_edge_interval(), out.interval);
    out.no_traffic_interval =
        or_(proto_.has_no_traffic_interval(), proto_.no_traffic_interval(), out.no_traffic_interval);
    out.no_traffic_healthy_interval =
        or_(proto_.has_no_traffic_healthy_interval(), proto_.no_traffic_healthy_interval(), out.no_traffic_interval);
    out.initial_jitter = compileMilliseconds(proto_.initial_jitter());
    out.interval_jitter = compileMilliseconds(proto_.interval_jitter());
    out.interval_jitter_percent = proto_.interval_jitter_percent();
  }

  uint32_t threshold(const UInt32Value& value, const char* field) const {
    if (value.value() == 0) context_.child(field).error("must be 1 or more");
    return value.value();
  }

  void compileHttp(const HealthCheck::HttpHealthCheck& proto, const Context& context) {
    HealthCheckConfig::Http& http = out_->http;
    out_->kind = HealthCheckConfig::Kind::kHttp;
    http.path = proto.path();
    checkPathText(proto.path(), context.child("path"));
    if (!proto.path().empty() && proto.path().front() != '/') context.child("path").error("must begin with '/'");
    http.host = proto.host();
    checkHostText(proto.host(), context.child("host"));
    if (proto.method() != envoy::config::core::v3::METHOD_UNSPECIFIED) {
      http.method = envoy::config::core::v3::RequestMethod_Name(proto.method());
    }
    http.http2 = proto.codec_client_type() == envoy::type::v3::HTTP2;
    if (proto.codec_client_type() == envoy::type::v3::HTTP3) {
      context.child("codec_client_type").error("HTTP3 is not supported; use HTTP1 or HTTP2");
    }
    http.headers.emplace_back("user-agent", kUserAgent);
    change(
        compileHeaderMutations(proto.request_headers_to_add(), proto.request_headers_to_remove(), "request", context),
        context, "request_headers_to_add", http.headers);
    if (!proto.expected_statuses().empty()) {
      http.expected = statuses(proto.expected_statuses(), context, "expected_statuses");
    }
    http.retriable = statuses(proto.retriable_statuses(), context, "retriable_statuses");
    if (proto.has_send()) {
      http.body = payload(proto.send(), context.child("send"));
      static constexpr std::string_view kWithBody[] = {"POST", "PUT", "PATCH", "OPTIONS"};
      if (std::find(std::begin(kWithBody), std::end(kWithBody), http.method) == std::end(kWithBody)) {
        context.child("send").error(absl::StrCat("a ", http.method, " has no body; use POST, PUT, PATCH or OPTIONS"));
      }
    }
    http.receive = payloads(proto.receive(), context);
    if (proto.has_response_buffer_size()) {
      const uint64_t size = proto.response_buffer_size().value();
      http.response_buffer = size == 0 ? SIZE_MAX : size;
    }
    if (proto.has_service_name_matcher()) {
      Regexes regexes;
      auto matcher = regexes.stringMatcher(proto.service_name_matcher(), context.child("service_name_matcher"));
      http.service_name = [matcher](std::string_view name) { return matcher.matches(name); };
    }
  }

  void compileTcp(const HealthCheck::TcpHealthCheck& proto, const Context& context) {
    out_->kind = HealthCheckConfig::Kind::kTcp;
    if (proto.has_send()) out_->tcp.send = payload(proto.send(), context.child("send"));
    out_->tcp.receive = payloads(proto.receive(), context);
  }

  // A request is grpc.health.v1.HealthCheckRequest{service = 1}, which has the bytes of a StringValue.
  void compileGrpc(const HealthCheck::GrpcHealthCheck& proto, const Context& context) {
    HealthCheckConfig::Http& http = out_->http;
    out_->kind = HealthCheckConfig::Kind::kGrpc;
    http.http2 = true;
    http.method = "POST";
    http.path = "/grpc.health.v1.Health/Check";
    http.host = proto.authority();
    checkHostText(proto.authority(), context.child("authority"));
    google::protobuf::StringValue request;
    request.set_value(proto.service_name());
    http.body = http::grpc::framed(request.SerializeAsString());
    http.headers = {{"user-agent", kUserAgent},
                    {"content-type", std::string(http::grpc::kContentType)},
                    {"te", "trailers"},
                    {"grpc-timeout", http::grpc::formatTimeout(out_->timeout)}};
    route::HeaderMutations mutations;
    mutations.add = compileHeaderAdditions(proto.initial_metadata(), "initial_metadata", context);
    change(mutations, context, "initial_metadata", http.headers);
  }

  void compileCustom(const HealthCheck::CustomHealthCheck& proto, const Context& context) {
    const Context at = context.child("typed_config");
    if (!proto.has_typed_config())
      return at.error(absl::StrCat("is missing; write ", RedisCheck::descriptor()->full_name()));
    const auto check = unpackOnly<RedisCheck>(proto.typed_config(), at);
    if (check == nullptr) return;
    out_->kind = HealthCheckConfig::Kind::kRedis;
    out_->redis_key = check->key();
  }

  // There is no request of a client whose values could stand in them: what the headers are is known now.
  static void change(const route::HeaderMutations& mutations, const Context& context, const char* field,
                     Headers& headers) {
    using Action = route::HeaderAddition::Action;
    for (const std::string& name : mutations.remove) {
      std::erase_if(headers, [&name](const auto& header) { return header.first == name; });
    }
    for (size_t i = 0; i < mutations.add.size(); ++i) {
      const route::HeaderAddition& addition = mutations.add[i];
      if (addition.formatter) {
        context.child(field, i).child("header").child("value").error(
            "a check has no request whose values could be filled in; write a plain value ('%%' for a percent sign)");
        continue;
      }
      const auto at = std::find_if(headers.begin(), headers.end(),
                                   [&](const auto& header) { return header.first == addition.name; });
      const bool there = at != headers.end();
      if (addition.value.empty() && !addition.keep_empty_value) continue;
      if (there && addition.action == Action::kAddIfAbsent) continue;
      if (!there && addition.action == Action::kOverwriteIfExists) continue;
      if (there && addition.action != Action::kAppendIfExistsOrAdd) {
        at->second = addition.value;
      } else {
        headers.emplace_back(addition.name, addition.value);
      }
    }
  }

  static std::vector<HealthCheckConfig::Statuses> statuses(const RepeatedPtrField<envoy::type::v3::Int64Range>& ranges,
                                                           const Context& context, const char* field) {
    std::vector<HealthCheckConfig::Statuses> out;
    for (int i = 0; i < ranges.size(); ++i) {
      const auto& range = ranges.Get(i);
      out.push_back({range.start(), range.end()});
      if (range.start() >= 100 && range.end() <= 600 && range.start() < range.end()) continue;
      context.child(field, static_cast<size_t>(i))
          .error(absl::StrCat("[", range.start(), ", ", range.end(),
                              ") is no range of statuses; start is 100 or more, end at most 600 and not in the range"));
    }
    return out;
  }

  static std::string payload(const HealthCheck::Payload& proto, const Context& context) {
    if (!proto.text().empty()) {
      const bool hex =
          proto.text().size() % 2 == 0 && proto.text().find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
      if (hex) return absl::HexStringToBytes(proto.text());
      context.child("text").error("needs pairs of hexadecimal digits, as in \"000000FF\"; write other text as binary");
    }
    return proto.binary();
  }

  static std::vector<std::string> payloads(const RepeatedPtrField<HealthCheck::Payload>& protos,
                                           const Context& context) {
    std::vector<std::string> out;
    for (int i = 0; i < protos.size(); ++i) {
      out.push_back(payload(protos.Get(i), context.child("receive", static_cast<size_t>(i))));
    }
    return out;
  }

  void compileTransport() {
    const auto& protocols = proto_.tls_options().alpn_protocols();
    for (int i = 0; i < protocols.size(); ++i) {
      if (protocols[i].empty() || protocols[i].size() > 255) {
        context_.child("tls_options")
            .child("alpn_protocols", static_cast<size_t>(i))
            .error("a protocol's name has 1 to 255 bytes");
      }
      out_->alpn.push_back(protocols[i]);
    }
    if (!proto_.has_transport_socket_match_criteria()) return;
    const google::protobuf::Struct& criteria = proto_.transport_socket_match_criteria();
    out_->transport_metadata = stream::FixedMetadata(
        {{std::string(upstream::cluster::kTransportMetadata), {fieldsOf(criteria)}}}, criteria.SerializeAsString());
  }

  void addLog(const std::string& path, const Context& context) {
    if (auto file = openLog(path, context, services_)) out_->logs.push_back(std::move(file));
  }

  void compileLogs() {
    out_->log_failures = proto_.always_log_health_check_failures();
    out_->log_successes = proto_.always_log_health_check_success();
    addLog(proto_.event_log_path(), context_.child("event_log_path"));
    for (int i = 0; i < proto_.event_logger_size(); ++i) {
      const Context at = context_.child("event_logger", static_cast<size_t>(i)).child("typed_config");
      const auto message = unpackAny(proto_.event_logger(i).typed_config(), at);
      if (message == nullptr) continue;
      const auto* sink = dynamic_cast<const HealthCheckEventFileSink*>(message.get());
      if (sink == nullptr) {
        at.error(absl::StrCat(message->GetTypeName(), " is no sink that is supported here; use ",
                              HealthCheckEventFileSink::descriptor()->full_name()));
        continue;
      }
      addLog(sink->event_log_path(), at.child("event_log_path"));
    }
  }

  const HealthCheck& proto_;
  const Context& context_;
  const Services& services_;
  const std::shared_ptr<HealthCheckConfig> out_;
};

// --- outlier detection ---

void set(bool has, const UInt32Value& value, uint32_t& out) {
  if (has) out = value.value();
}

// The chances, in percent.
void compileEnforcing(const OutlierDetection& proto, OutlierConfig& out) {
  const auto at = [&out](Detection what) -> uint32_t& { return out.enforcing[static_cast<size_t>(what)]; };
  set(proto.has_enforcing_consecutive_5xx(), proto.enforcing_consecutive_5xx(), at(Detection::kConsecutive5xx));
  set(proto.has_enforcing_consecutive_gateway_failure(), proto.enforcing_consecutive_gateway_failure(),
      at(Detection::kConsecutiveGatewayFailure));
  set(proto.has_enforcing_consecutive_local_origin_failure(), proto.enforcing_consecutive_local_origin_failure(),
      at(Detection::kConsecutiveLocalOriginFailure));
  set(proto.has_enforcing_success_rate(), proto.enforcing_success_rate(), at(Detection::kSuccessRate));
  set(proto.has_enforcing_local_origin_success_rate(), proto.enforcing_local_origin_success_rate(),
      at(Detection::kSuccessRateLocalOrigin));
  set(proto.has_enforcing_failure_percentage(), proto.enforcing_failure_percentage(),
      at(Detection::kFailurePercentage));
  set(proto.has_enforcing_failure_percentage_local_origin(), proto.enforcing_failure_percentage_local_origin(),
      at(Detection::kFailurePercentageLocalOrigin));
}

}  // namespace

std::vector<std::shared_ptr<const HealthCheckConfig>> compileHealthChecks(const Cluster& cluster,
                                                                          const Context& context,
                                                                          const Services& services) {
  std::vector<std::shared_ptr<const HealthCheckConfig>> out;
  for (int i = 0; i < cluster.health_checks_size(); ++i) {
    const Context at = context.child("health_checks", static_cast<size_t>(i));
    if (cluster.health_checks(i).has_transport_socket_match_criteria() && cluster.transport_socket_matches().empty()) {
      at.child("transport_socket_match_criteria").warn("not used: the cluster has no transport_socket_matches");
    }
    if (auto check = CheckCompiler(cluster.health_checks(i), at, services).compile()) out.push_back(std::move(check));
  }
  return out;
}

std::shared_ptr<const OutlierConfig> compileOutlierDetection(const Cluster& cluster, const Context& context,
                                                             const Services& services) {
  if (!cluster.has_outlier_detection()) return nullptr;
  const OutlierDetection& proto = cluster.outlier_detection();
  auto out = std::make_shared<OutlierConfig>();
  set(proto.has_consecutive_5xx(), proto.consecutive_5xx(), out->consecutive_5xx);
  set(proto.has_consecutive_gateway_failure(), proto.consecutive_gateway_failure(), out->consecutive_gateway_failure);
  set(proto.has_consecutive_local_origin_failure(), proto.consecutive_local_origin_failure(),
      out->consecutive_local_origin_failure);
  out->split_local_origin = proto.split_external_local_origin_errors();
  if (proto.has_interval()) out->interval = compileMilliseconds(proto.interval());
  if (proto.has_base_ejection_time()) out->base_ejection_time = compileMilliseconds(proto.base_ejection_time());
  if (proto.has_max_ejection_time()) {
    out->max_ejection_time = compileMilliseconds(proto.max_ejection_time());
    if (out->max_ejection_time < out->base_ejection_time) {
      context.child("outlier_detection")
          .child("max_ejection_time")
          .error("must not be less than base_ejection_time, which is 30s unless it is set");
    }
  }
  out->max_ejection_time = std::max(out->max_ejection_time, out->base_ejection_time);
  out->max_ejection_time_jitter = compileMilliseconds(proto.max_ejection_time_jitter());
  set(proto.has_max_ejection_percent(), proto.max_ejection_percent(), out->max_ejection_percent);
  // Somebody who says 0 wants no ejection at all.
  out->always_eject_one = proto.has_always_eject_one_host()
                              ? proto.always_eject_one_host().value()
                              : services.defaults == Defaults::kEdge && out->max_ejection_percent > 0;
  out->check_ends_ejection = !proto.has_successful_active_health_check_uneject_host() ||
                             proto.successful_active_health_check_uneject_host().value();
  set(proto.has_success_rate_minimum_hosts(), proto.success_rate_minimum_hosts(), out->success_rate.hosts);
  set(proto.has_success_rate_request_volume(), proto.success_rate_request_volume(), out->success_rate.requests);
  set(proto.has_success_rate_stdev_factor(), proto.success_rate_stdev_factor(), out->success_rate_stdev_factor);
  set(proto.has_failure_percentage_minimum_hosts(), proto.failure_percentage_minimum_hosts(),
      out->failure_percentage.hosts);
  set(proto.has_failure_percentage_request_volume(), proto.failure_percentage_request_volume(),
      out->failure_percentage.requests);
  set(proto.has_failure_percentage_threshold(), proto.failure_percentage_threshold(),
      out->failure_percentage_threshold);
  compileEnforcing(proto, *out);
  out->log = services.outlier_log;
  return out;
}

std::shared_ptr<observability::LogFile> openOutlierLog(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                                                       const Context& context, const Services& services) {
  const Context at = context.child("cluster_manager").child("outlier_detection").child("event_log_path");
  return openLog(bootstrap.cluster_manager().outlier_detection().event_log_path(), at, services);
}

}  // namespace sluice::config
