#include "source/control_plane/http_api.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "google/protobuf/any.pb.h"
#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"
#include "source/base/percent.h"
#include "source/base/secret.h"
#include "source/base/text.h"
#include "source/config/redact.h"

namespace sluice::control_plane {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

HttpResponse answer(const Json& json, int status = 200) {
  return {.status = status, .content_type = "application/json", .body = dump(json)};
}

HttpResponse refuse(int status, std::string message) {
  return answer(Json{{"error", std::move(message)}}, status);
}

std::optional<std::string> parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) != name) continue;
    return equals == std::string_view::npos ? std::string() : base::formDecoded(pair.substr(equals + 1));
  }
  return std::nullopt;
}

// RFC 3339, in UTC with milliseconds.
std::string timeText(std::chrono::system_clock::time_point time) {
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  const std::time_t seconds = since.count() / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 40> text;
  const size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  return base::strCat(std::string_view(text.data(), size), ".", absl::Dec(since.count() % 1000, absl::kZeroPad3), "Z");
}

Json typeJson(const TypeStatus& type) {
  Json json{{"version_sent", type.version_sent},
            {"version_acknowledged", type.version_acknowledged},
            {"resources", type.resources},
            {"up_to_date", type.up_to_date}};
  if (type.error) json["refused"] = *type.error;
  return json;
}

Json waitingJson(const xds::ServingReport::Waiting& waiting) {
  const std::optional<ResourceType> type = resourceTypeOf(waiting.type);
  return Json{{"type", type ? typeWord(*type) : std::string_view(waiting.type)},
              {"name", waiting.name},
              {"waits_for", waiting.waits_for}};
}

Json nodeJson(const NodeStatus& node) {
  Json types = Json::object();
  for (const TypeStatus& type : node.types) types[std::string(typeWord(type.type))] = typeJson(type);
  Json json{{"id", node.node.id},
            {"cluster", node.node.cluster},
            {"user_agent", node.node.user_agent},
            {"address", node.address},
            {"connected_since", timeText(node.connected_since)},
            {"stream", node.aggregated ? "aggregated" : "single type"},
            {"variant", node.variant == Variant::kDelta ? "delta" : "state of the world"},
            {"version", node.version},
            {"up_to_date", node.up_to_date},
            {"state", wordOf(node.state)},
            {"reports_serving", node.reports},
            {"types", std::move(types)}};
  if (node.waiting_count > 0) {
    Json& waiting = json["waiting"] = Json::array();
    for (const auto& one : node.waiting) waiting.push_back(waitingJson(one));
    json["waiting_count"] = node.waiting_count;
  }
  if (!node.problem.empty()) json["problem"] = node.problem;
  return json;
}

Json resourceJson(const IntentFile& file, const IntentResource& item) {
  Json json{{"type", typeWord(item.resource->type)},
            {"name", item.resource->name},
            {"version", item.resource->version},
            {"file", file.name},
            {"line", item.location.line}};
  google::protobuf::Any any;
  any.set_type_url(std::string(typeUrl(item.resource->type)));
  any.set_value(item.resource->bytes);
  config::redact(any);
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  if (google::protobuf::util::MessageToJsonString(any, &text, options).ok()) {
    json["resource"] = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  }
  return json;
}

Json loadJson(const LoadSum& sum) {
  return Json{{"proxies", sum.proxies},
              {"requests_per_second", sum.requests},
              {"error_share", sum.errorShare()},
              {"in_flight", static_cast<int64_t>(std::min(sum.in_flight, 9e15))}};
}

Json fleetJson(const LoadSum& sum) {
  Json json = loadJson(sum);
  json["dropped_per_second"] = sum.dropped;
  return json;
}

Json clusterLoadJson(const std::string& name, const ClusterLoad& load) {
  Json json{{"cluster", name}};
  json.update(fleetJson(load.sum));
  Json places = Json::array();
  for (const auto& [place, sum] : load.places) {
    Json item{{"locality", place.locality}, {"priority", place.priority}};
    item.update(loadJson(sum));
    places.push_back(std::move(item));
  }
  json["localities"] = std::move(places);
  return json;
}

Json proxyJson(const ReportingProxy& proxy) {
  Json json{{"id", proxy.id},
            {"cluster", proxy.cluster},
            {"address", proxy.address},
            {"counts", proxy.counts},
            {"clusters", proxy.clusters}};
  if (proxy.age) json["report_age_ms"] = proxy.age->count();
  if (proxy.left_out > 0) json["left_out"] = proxy.left_out;
  return json;
}

Json errorJson(const config::ConfigError& error) {
  return Json{{"file", error.file}, {"line", error.line}, {"column", error.column},
              {"path", error.path}, {"rule", error.rule}, {"message", error.message}};
}

}  // namespace

HttpResponse HttpApi::handle(const HttpRequest& request) {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  const std::string_view query = path.size() < request.target.size() ? request.target.substr(path.size() + 1) : "";
  const bool get = request.method == "GET" || request.method == "HEAD";
  const bool post = request.method == "POST";
  if (path == "/healthz") return get ? health() : refuse(405, "use GET");
  if (path == "/api/v1/status") return get ? status() : refuse(405, "use GET");
  if (path == "/api/v1/load") return get ? load(query) : refuse(405, "use GET");
  if (path == "/api/v1/resources") {
    if (get) return resources(query);
    return post ? apply(request, query) : refuse(405, "use GET to read, POST to apply a file");
  }
  return refuse(404, "no such page; there are /healthz, /api/v1/status, /api/v1/load and /api/v1/resources");
}

bool HttpApi::writes(const HttpRequest& head) {
  return head.method == "POST" && head.target.substr(0, head.target.find('?')) == "/api/v1/resources";
}

std::optional<HttpResponse> HttpApi::refuseBody(const HttpRequest& head) const {
  return writes(head) ? refuseWriter(head) : std::nullopt;
}

HttpResponse HttpApi::health() const {
  if (store_.intent() == nullptr) {
    return {503, "text/plain",
            base::strCat(store_.directory(), " was never good:\n", store_.lastErrors().toString(), "\n")};
  }
  return {200, "text/plain", "ok\n"};
}

HttpResponse HttpApi::status() const {
  const std::vector<NodeStatus> nodes = discovery_.status();
  Json list = Json::array();
  size_t up_to_date = 0, serving = 0;
  for (const NodeStatus& node : nodes) {
    up_to_date += node.up_to_date ? 1 : 0;
    serving += node.state == NodeState::kServes ? 1 : 0;
    list.push_back(nodeJson(node));
  }
  Json errors = Json::array();
  for (const config::ConfigError& error : store_.lastErrors().errors()) errors.push_back(errorJson(error));
  Json warnings = Json::array();
  for (const config::ConfigError& warning : store_.lastErrors().warnings()) warnings.push_back(errorJson(warning));
  return answer(Json{{"version", store_.intent() == nullptr ? "" : store_.intent()->version()},
                     {"generation", store_.generation()},
                     {"directory", store_.directory()},
                     {"resources", store_.intent() == nullptr ? 0 : store_.intent()->resourceCount()},
                     {"errors", std::move(errors)},
                     {"warnings", std::move(warnings)},
                     {"nodes_up_to_date", up_to_date},
                     {"nodes_serving", serving},
                     {"nodes", std::move(list)},
                     {"load", fleetJson(loads_.total())}});
}

HttpResponse HttpApi::load(std::string_view query) const {
  const std::optional<std::string> wanted = parameter(query, "cluster");
  const FleetLoad fleet = loads_.load(parameter(query, "proxy").value_or(""));
  Json clusters = Json::array();
  for (const auto& [name, load] : fleet.clusters) {
    if (!wanted || *wanted == name) clusters.push_back(clusterLoadJson(name, load));
  }
  Json proxies = Json::array();
  for (const ReportingProxy& proxy : loads_.proxies()) proxies.push_back(proxyJson(proxy));
  return answer(Json{{"interval_ms", loads_.interval().count()},
                     {"total", fleetJson(fleet.sum)},
                     {"clusters", std::move(clusters)},
                     {"proxies", std::move(proxies)}});
}

HttpResponse HttpApi::resources(std::string_view query) const {
  const std::optional<std::string> wanted = parameter(query, "type");
  const std::optional<std::string> name = parameter(query, "name");
  std::optional<ResourceType> type;
  if (wanted) {
    type = resourceTypeOf(*wanted);
    if (!type)
      return refuse(400,
                    base::strCat("no type '", *wanted, "'; there are cluster, endpoints, listener, route and secret"));
  }
  Json list = Json::array();
  if (store_.intent() != nullptr) {
    for (const IntentFilePtr& file : store_.intent()->files()) {
      for (const IntentResource& item : file->resources) {
        if (type && item.resource->type != *type) continue;
        if (name && item.resource->name != *name) continue;
        list.push_back(resourceJson(*file, item));
      }
    }
  }
  return answer(
      Json{{"version", store_.intent() == nullptr ? "" : store_.intent()->version()}, {"resources", std::move(list)}});
}

std::optional<HttpResponse> HttpApi::refuseWriter(const HttpRequest& request) const {
  // Browsers send it with every POST: a page must not write here through its reader's browser.
  if (!request.origin.empty()) return refuse(403, "requests from web pages may not write");
  if (!options_.token) {
    if (options_.loopback) return std::nullopt;
    return refuse(403, "writing is off: the API listens beyond this machine and has no token; start with --token-file");
  }
  constexpr std::string_view kScheme = "Bearer ";
  const bool shown = request.authorization.starts_with(kScheme) &&
                     base::sameSecret(request.authorization.substr(kScheme.size()), *options_.token);
  if (shown) return std::nullopt;
  return refuse(401, "writing needs the token of --token-file as `authorization: Bearer TOKEN`");
}

HttpResponse HttpApi::apply(const HttpRequest& request, std::string_view query) {
  if (auto refusal = refuseWriter(request)) return *std::move(refusal);
  if (request.body.size() > kMaxApplyBytes) return refuse(413, "a file may have 32 MiB");
  const std::string file = parameter(query, "file").value_or("applied.yaml");
  const absl::StatusOr<std::string> version = store_.apply(file, request.body);
  if (!version.ok()) {
    const bool theirs = absl::IsInvalidArgument(version.status());
    return refuse(theirs ? 400 : 500, std::string(version.status().message()));
  }
  if (options_.on_applied) options_.on_applied();
  Json warnings = Json::array();
  for (const config::ConfigError& warning : store_.lastErrors().warnings()) warnings.push_back(errorJson(warning));
  return answer(Json{{"version", *version},
                     {"generation", store_.generation()},
                     {"file", base::strCat(store_.directory(), "/", file)},
                     {"warnings", std::move(warnings)}});
}

}  // namespace sluice::control_plane
