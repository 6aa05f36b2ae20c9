#include <iostream>

#include "nlohmann/json.hpp"
#include "source/base/percent.h"
#include "source/base/text.h"
#include "source/ctl/commands.h"
#include "source/ctl/file_configuration.h"
#include "source/explain/explain.h"
#include "source/extensions/all.h"

namespace sluice::ctl {
namespace {

using Json = nlohmann::ordered_json;

std::string printed(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// Says what is wrong; what was asked for, rather than the configuration, is a mistake in the command line.
ExitCode refused(const absl::Status& status) {
  std::cerr << "sluicectl: " << status.message() << "\n";
  return absl::IsInvalidArgument(status) ? kUsage : kRefused;
}

// Nullopt after saying why, with `code`.
std::optional<Json> askFile(const std::string& path, const explain::Parameters& parameters, ExitCode& code) {
  const absl::StatusOr<explain::Request> request = explain::requestOf(parameters);
  if (!request.ok()) {
    code = refused(request.status());
    return std::nullopt;
  }
  config::Registry registry;
  extensions::registerAll(registry);
  config::ErrorList errors;
  const auto configuration = FileConfiguration::load(path, registry, errors);
  if (configuration == nullptr) {
    std::cerr << errors.toString() << "\nconfiguration '" << path << "' is refused; nothing can be told of it\n";
    code = kRefused;
    return std::nullopt;
  }
  const absl::StatusOr<explain::Explanation> explanation = explain::explain(*request, *configuration);
  if (!explanation.ok()) {
    code = refused(explanation.status());
    return std::nullopt;
  }
  return explain::toJson(*explanation);
}

// By POST: headers of a request may be credentials, which have no business in the log of admin requests.
std::optional<Json> askProxy(const Settings& settings, const explain::Parameters& parameters, ExitCode& code) {
  std::string body;
  for (const auto& [name, value] : parameters) {
    base::strAppend(body, body.empty() ? "" : "&", name, "=", base::percentEncoded(value));
  }
  const auto reply =
      fetch(settings.admin, {.method = "POST", .target = "/explain", .body = body}, std::chrono::seconds(10));
  if (!reply.ok()) {
    std::cerr << "sluicectl: " << reply.status().message() << "\n";
    code = kUnreachable;
    return std::nullopt;
  }
  if (reply->status != 200) {
    std::cerr << "sluicectl: " << reply->body;
    code = reply->status == 400 ? kUsage : kRefused;
    return std::nullopt;
  }
  Json json = Json::parse(reply->body, nullptr, /*allow_exceptions=*/false);
  if (json.is_object()) return json;
  std::cerr << "sluicectl: " << settings.admin.url << "/explain did not answer in JSON; is it the right address?\n";
  code = kRefused;
  return std::nullopt;
}

// What of it says who gets in.
Json accessOf(const Json& from) {
  Json out = from;
  Json filters = Json::array();
  if (from.contains("filters") && from["filters"].is_array()) {
    for (const Json& each : from["filters"]) {
      if (each.is_object() && each.value("access", false)) filters.push_back(each);
    }
  }
  out["filters"] = std::move(filters);
  for (const char* other : {"request_changes", "response_changes", "clusters", "forward"}) out.erase(other);
  return out;
}

}  // namespace

ExitCode explainRequest(const Settings& settings, const explain::Parameters& parameters, bool policy_only) {
  ExitCode code = kDone;
  const auto json =
      settings.file.empty() ? askProxy(settings, parameters, code) : askFile(settings.file, parameters, code);
  if (!json) return code;
  if (settings.json) {
    std::cout << printed(policy_only ? accessOf(*json) : *json);
  } else {
    std::cout << (policy_only ? explain::policyText(*json) : explain::toText(*json));
  }
  return kDone;
}

}  // namespace sluice::ctl
