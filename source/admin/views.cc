#include "source/admin/views.h"

#include <malloc.h>

#include <algorithm>
#include <map>
#include <memory>

#include "google/protobuf/any.pb.h"
#include "google/protobuf/util/json_util.h"
#include "re2/re2.h"
#include "source/admin/field_mask.h"
#include "source/base/text.h"
#include "source/config/redact.h"
#include "source/stream/formatter.h"

namespace sluice::admin {
namespace {

using envoy::admin::v3::ClusterStatus;
using envoy::admin::v3::HostStatus;
using envoy::config::core::v3::Address;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string addressText(const Address& address) {
  if (address.has_pipe()) return address.pipe().path();
  if (address.has_envoy_internal_address()) {
    const auto& internal = address.envoy_internal_address();
    return base::strCat("envoy://", internal.server_listener_name(), "/", internal.endpoint_id());
  }
  const auto& socket = address.socket_address();
  const bool v6 = socket.address().find(':') != std::string::npos;
  return base::strCat(v6 ? "[" : "", socket.address(), v6 ? "]" : "", ":", socket.port_value());
}

// In Envoy's order.
std::string healthFlags(const HostStatus& host) {
  namespace core = envoy::config::core::v3;
  const auto& health = host.health_status();
  const core::HealthStatus eds = health.eds_health_status();
  std::string out;
  if (health.failed_active_health_check()) out += "/failed_active_hc";
  if (health.failed_outlier_check()) out += "/failed_outlier_check";
  if (eds == core::UNHEALTHY || eds == core::DRAINING || eds == core::TIMEOUT) out += "/failed_eds_health";
  if (health.failed_active_degraded_check()) out += "/degraded_active_hc";
  if (eds == core::DEGRADED) out += "/degraded_eds_health";
  if (health.pending_dynamic_removal()) out += "/pending_dynamic_removal";
  if (health.pending_active_hc()) out += "/pending_active_hc";
  if (health.excluded_via_immediate_hc_fail()) out += "/excluded_via_immediate_hc_fail";
  if (health.active_hc_timeout()) out += "/active_hc_timeout";
  return out.empty() ? "healthy" : out;
}

// Envoy's value for "not known" is -1.
template <typename Percent>
std::string rateText(bool known, const Percent& rate) {
  return known ? base::strCat(rate.value()) : "-1";
}

void appendBreakers(const ClusterStatus& cluster, std::string& out) {
  using envoy::config::cluster::v3::CircuitBreakers;
  for (const CircuitBreakers::Thresholds& thresholds : cluster.circuit_breakers().thresholds()) {
    const bool high = thresholds.priority() == envoy::config::core::v3::HIGH;
    const std::string lead = base::strCat(cluster.name(), high ? "::high_priority::" : "::default_priority::");
    base::strAppend(out, lead, "max_connections::", thresholds.max_connections().value(), "\n");
    base::strAppend(out, lead, "max_pending_requests::", thresholds.max_pending_requests().value(), "\n");
    base::strAppend(out, lead, "max_requests::", thresholds.max_requests().value(), "\n");
    base::strAppend(out, lead, "max_retries::", thresholds.max_retries().value(), "\n");
  }
}

void appendHost(const ClusterStatus& cluster, const HostStatus& host, const std::string& reason, std::string& out) {
  const std::string lead = base::strCat(cluster.name(), "::", addressText(host.address()), "::");
  std::map<std::string_view, uint64_t> stats;
  for (const auto& stat : host.stats()) stats[stat.name()] = stat.value();
  for (const auto& [name, value] : stats) base::strAppend(out, lead, name, "::", value, "\n");
  base::strAppend(out, lead, "hostname::", host.hostname(), "\n");
  base::strAppend(out, lead, "health_flags::", healthFlags(host), "\n");
  base::strAppend(out, lead, "weight::", host.weight(), "\n");
  base::strAppend(out, lead, "region::", host.locality().region(), "\n");
  base::strAppend(out, lead, "zone::", host.locality().zone(), "\n");
  base::strAppend(out, lead, "sub_zone::", host.locality().sub_zone(), "\n");
  base::strAppend(out, lead, "canary::false\n");
  base::strAppend(out, lead, "priority::", host.priority(), "\n");
  base::strAppend(out, lead, "success_rate::", rateText(host.has_success_rate(), host.success_rate()), "\n");
  base::strAppend(out, lead, "local_origin_success_rate::",
                  rateText(host.has_local_origin_success_rate(), host.local_origin_success_rate()), "\n");
  // Ours.
  if (!reason.empty()) base::strAppend(out, lead, "health_reason::", reason, "\n");
}

// --- config dump -----------------------------------------------------------------------------------------------------

// The name of a resource, of an entry of a dump, or of what lies inside; empty if it has none.
std::string nameOf(const Message& message, int depth = 0) {
  if (depth > 3) return {};
  if (const auto* any = dynamic_cast<const google::protobuf::Any*>(&message)) {
    const std::unique_ptr<Message> inner = unpacked(*any);
    return inner ? nameOf(*inner, depth + 1) : std::string();
  }
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  for (const char* own : {"name", "cluster_name"}) {
    const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(own);
    if (field == nullptr || field->cpp_type() != FieldDescriptor::CPPTYPE_STRING || field->is_repeated()) continue;
    std::string name = reflection.GetString(message, field);
    if (!name.empty()) return name;
  }
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_repeated()) continue;
    std::string name = nameOf(reflection.GetMessage(message, field), depth + 1);
    if (!name.empty()) return name;
  }
  return {};
}

// Drops the entries of all repeated fields whose name does not match.
void keepNamed(Message& part, const re2::RE2& names) {
  const google::protobuf::Reflection& reflection = *part.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(part, &fields);
  for (const FieldDescriptor* field : fields) {
    if (!field->is_repeated() || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    int kept = 0;
    const int size = reflection.FieldSize(part, field);
    for (int i = 0; i < size; ++i) {
      if (!re2::RE2::FullMatch(nameOf(reflection.GetRepeatedMessage(part, field, i)), names)) continue;
      if (kept != i) reflection.SwapElements(&part, field, kept, i);
      ++kept;
    }
    for (int i = kept; i < size; ++i) reflection.RemoveLast(&part, field);
  }
}

constexpr std::string_view kLists =
    "static_clusters, dynamic_active_clusters, dynamic_warming_clusters, ecds_filters, static_endpoint_configs, "
    "dynamic_endpoint_configs (these two with include_eds), static_listeners, dynamic_listeners, "
    "inline_scoped_route_configs, dynamic_scoped_route_configs, static_route_configs, dynamic_route_configs, "
    "static_secrets, dynamic_active_secrets, dynamic_warming_secrets";

// The entries of the repeated field `resource`, each packed by itself.
absl::StatusOr<envoy::admin::v3::ConfigDump> onlyResource(const envoy::admin::v3::ConfigDump& dump,
                                                          const std::string& resource) {
  envoy::admin::v3::ConfigDump out;
  bool found = false;
  for (const google::protobuf::Any& any : dump.configs()) {
    const std::unique_ptr<Message> part = unpacked(any);
    const FieldDescriptor* field = part ? part->GetDescriptor()->FindFieldByName(resource) : nullptr;
    if (field == nullptr) continue;
    if (!field->is_repeated() || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      return absl::InvalidArgumentError(base::strCat(resource, " is not a list of resources; known are ", kLists));
    }
    found = true;
    const google::protobuf::Reflection& reflection = *part->GetReflection();
    for (int i = 0; i < reflection.FieldSize(*part, field); ++i) {
      out.add_configs()->PackFrom(reflection.GetRepeatedMessage(*part, field, i));
    }
  }
  if (!found) return absl::NotFoundError(base::strCat(resource, " not found in config dump; known are ", kLists));
  return out;
}

absl::Status keepNamed(envoy::admin::v3::ConfigDump& dump, std::string_view pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  const re2::RE2 names(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!names.ok()) {
    return absl::InvalidArgumentError(base::strCat("name_regex is no regular expression: ", names.error()));
  }
  for (google::protobuf::Any& any : *dump.mutable_configs()) {
    const std::unique_ptr<Message> part = unpacked(any);
    if (!part) continue;
    keepNamed(*part, names);
    any.PackFrom(*part);
  }
  return absl::OkStatus();
}

// `whole`: of the parts of the dump, those that no path means are left out.
absl::Status keepFields(envoy::admin::v3::ConfigDump& dump, std::string_view text, bool whole) {
  absl::StatusOr<FieldMask> mask = FieldMask::parse(text);
  if (!mask.ok()) return absl::InvalidArgumentError(base::strCat("mask: ", base::toStd(mask.status().message())));
  envoy::admin::v3::ConfigDump out;
  for (google::protobuf::Any& any : *dump.mutable_configs()) {
    const std::unique_ptr<Message> part = unpacked(any);
    if (!part || (whole && !mask->touches(*part->GetDescriptor()))) continue;
    mask->trim(*part);
    out.add_configs()->PackFrom(*part);
  }
  const std::string unknown =
      out.configs_size() == 0 && whole ? std::string(text.substr(0, text.find(','))) : mask->unknown();
  if (!unknown.empty()) {
    return absl::InvalidArgumentError(base::strCat("mask: '", unknown, "' is no field of ",
                                                   whole ? "the dump, as 'static_clusters.cluster.name' is"
                                                         : "the resources, as 'cluster.name' is of a cluster's"));
  }
  dump = std::move(out);
  return absl::OkStatus();
}

}  // namespace

Response problem(uint16_t status, std::string_view what) {
  return {status, base::strCat(what, "\n"), "text/plain; charset=UTF-8", {}};
}

Response jsonOf(const Message& message, bool all_fields) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = all_fields;
  Response out;
  out.content_type = "application/json";
  const auto status = google::protobuf::util::MessageToJsonString(message, &out.body, options);
  if (!status.ok()) return problem(500, base::strCat("cannot print as JSON: ", std::string(status.message())));
  return out;
}

bool keepClusters(std::string_view regex, envoy::admin::v3::Clusters& clusters) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  const re2::RE2 names(re2::StringPiece(regex.data(), regex.size()), options);
  if (!names.ok()) return false;
  auto& all = *clusters.mutable_cluster_statuses();
  const auto gone = std::remove_if(all.begin(), all.end(), [&names](const ClusterStatus& cluster) {
    return !re2::RE2::PartialMatch(cluster.name(), names);
  });
  all.erase(gone, all.end());
  return true;
}

std::string clustersText(const envoy::admin::v3::Clusters& clusters, const HealthReason& reason_of) {
  std::string out;
  for (const ClusterStatus& cluster : clusters.cluster_statuses()) {
    const std::string& observed = cluster.observability_name();
    base::strAppend(out, cluster.name(), "::observability_name::", observed.empty() ? cluster.name() : observed, "\n");
    appendBreakers(cluster, out);
    base::strAppend(out, cluster.name(), "::added_via_api::", cluster.added_via_api() ? "true" : "false", "\n");
    if (!cluster.eds_service_name().empty()) {
      base::strAppend(out, cluster.name(), "::eds_service_name::", cluster.eds_service_name(), "\n");
    }
    for (int i = 0; i < cluster.host_statuses_size(); ++i) {
      appendHost(cluster, cluster.host_statuses(i), reason_of(cluster.name(), static_cast<size_t>(i)), out);
    }
  }
  return out;
}

std::string listenersText(const envoy::admin::v3::Listeners& listeners) {
  std::string out;
  for (const auto& listener : listeners.listener_statuses()) {
    base::strAppend(out, listener.name(), "::", addressText(listener.local_address()), "\n");
  }
  return out;
}

Response configDump(const Query& query, const AdminState& state) {
  if (const auto unknown = query.unknown({"resource", "mask", "name_regex", "include_eds"})) {
    return problem(400, base::strCat("parameter '", *unknown,
                                     "' is not supported; known are resource, mask, name_regex, include_eds"));
  }
  envoy::admin::v3::ConfigDump dump = state.configDump(query.has("include_eds"));
  if (const auto pattern = query.get("name_regex")) {
    if (const absl::Status kept = keepNamed(dump, *pattern); !kept.ok()) {
      return problem(400, base::toStd(kept.message()));
    }
  }
  const auto resource = query.get("resource");
  if (resource) {
    absl::StatusOr<envoy::admin::v3::ConfigDump> chosen = onlyResource(dump, std::string(*resource));
    if (!chosen.ok()) {
      return problem(absl::IsNotFound(chosen.status()) ? 404 : 400, base::toStd(chosen.status().message()));
    }
    dump = *std::move(chosen);
  }
  // Before the mask: what is private may be told by a field that the mask takes off, as the name of a header.
  config::redact(dump);
  if (const auto mask = query.get("mask")) {
    if (const absl::Status kept = keepFields(dump, *mask, !resource); !kept.ok()) {
      return problem(400, base::toStd(kept.message()));
    }
  }
  return jsonOf(dump);
}

Response clientStatus(const AdminState& state) {
  envoy::service::status::v3::ClientStatusResponse status = state.clientStatus();
  config::redact(status);
  return jsonOf(status);
}

Response keySets(const std::vector<jwt::RemoteKeys::Health>& sets) {
  using stream::MetadataFields;
  stream::MetadataList list;
  for (const jwt::RemoteKeys::Health& set : sets) {
    stream::MetadataList keys;
    for (const auto& key : set.keys) keys.push_back({MetadataFields{{"kid", {key.kid}}, {"alg", {key.algorithms}}}});
    MetadataFields fields{{"uri", {set.uri}}, {"cluster", {set.cluster}}, {"keys", {std::move(keys)}}};
    if (set.age) fields.push_back({"age_seconds", {static_cast<double>(set.age->count())}});
    if (!set.last_error.empty()) fields.push_back({"last_error", {set.last_error}});
    fields.push_back({"failures_in_a_row", {static_cast<double>(set.failures)}});
    fields.push_back({"next_fetch_ms", {static_cast<double>(set.next_fetch.count())}});
    list.push_back({std::move(fields)});
  }
  Response out;
  out.content_type = "application/json";
  stream::appendJson({MetadataFields{{"key_sets", {std::move(list)}}}}, out.body);
  out.body += '\n';
  return out;
}

namespace {

constexpr std::string_view kStates[] = {"requested", "serving", "warming", "rejected", "absent", "timeout", "failed"};

stream::MetadataFields fieldsOf(const ResourceVerdict& verdict) {
  stream::MetadataFields fields{{"type", {verdict.type}}, {"name", {verdict.name}}};
  const auto add = [&](const char* name, std::string_view text) {
    if (!text.empty()) fields.push_back({name, {std::string(text)}});
  };
  add("state", kStates[static_cast<size_t>(verdict.state)]);
  add("version", verdict.version);
  add("waiting_for", verdict.waits_for);
  add("missing", verdict.missing);
  add("rejected_version", verdict.rejected_version);
  add("error", verdict.error);
  if (verdict.stored) fields.push_back({"stored", {true}});
  fields.push_back({"age_ms", {static_cast<double>(verdict.age.count())}});
  return fields;
}

}  // namespace

Response verdicts(const Query& query, const std::vector<ResourceVerdict>& all) {
  if (const auto unknown = query.unknown({"state", "type", "name_regex"})) {
    return problem(400, base::strCat("parameter '", *unknown, "' is not supported; known are state, type, name_regex"));
  }
  const std::string_view state = query.get("state").value_or(""), type = query.get("type").value_or("");
  if (!state.empty() && std::find(std::begin(kStates), std::end(kStates), state) == std::end(kStates)) {
    return problem(400, base::strCat("no state is called '", state,
                                     "'; there are requested, serving, warming, rejected, absent, timeout, failed"));
  }
  const re2::RE2 names(base::strCat("", query.get("name_regex").value_or("")), re2::RE2::Quiet);
  if (!names.ok()) return problem(400, "name_regex is no regular expression");
  size_t counts[std::size(kStates)] = {};
  stream::MetadataList list;
  for (const ResourceVerdict& verdict : all) {
    const auto at = static_cast<size_t>(verdict.state);
    if (!verdict.type.ends_with(type) || !re2::RE2::PartialMatch(verdict.name, names)) continue;
    ++counts[at];
    if (state.empty() || kStates[at] == state) list.push_back({fieldsOf(verdict)});
  }
  stream::MetadataFields fields;
  for (size_t i = 0; i < std::size(kStates); ++i) {
    if (counts[i] != 0) fields.push_back({std::string(kStates[i]), {static_cast<double>(counts[i])}});
  }
  Response out;
  out.content_type = "application/json";
  stream::appendJson({stream::MetadataFields{{"counts", {std::move(fields)}}, {"resources", {std::move(list)}}}},
                     out.body);
  out.body += '\n';
  return out;
}

Response memory() {
  const struct mallinfo2 heap = ::mallinfo2();
  Response out;
  out.content_type = "application/json";
  // 64-bit numbers are texts in protobuf's JSON.
  out.body = base::strCat("{\n \"allocated\": \"", heap.uordblks + heap.hblkhd, "\",\n \"heap_size\": \"",
                          heap.arena + heap.hblkhd, "\",\n \"free\": \"", heap.fordblks, "\"\n}\n");
  return out;
}

}  // namespace sluice::admin
