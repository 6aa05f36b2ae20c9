#include "source/server/options.h"

#include <functional>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "source/config/errors.h"

namespace sluice::server {
namespace {

constexpr std::string_view kHelp = R"(sluice: an L4/L7 proxy configured by the Envoy v3 API

usage: sluice -c FILE [options]

  -c, --config-path FILE       bootstrap: YAML, JSON (.json), text or binary proto (.pb_text, .pb)
      --config-yaml YAML       bootstrap text, merged over the file
      --mode serve|validate    validate: check the configuration and exit 0 or 1
      --concurrency N          worker threads (default: one for each processor that the process may use)
      --service-node ID        node id given to the control plane
      --service-cluster NAME   node cluster given to the control plane
  -l, --log-level LEVEL        trace, debug, info, warning, error, critical or off (default: info)
      --log-format PATTERN     how lines of the log look, in spdlog's flags (%v message, %j for JSON, %n component)
      --admin-address-path F   writes the admin server's address to F
      --drain-time-s SECONDS   how long connections may finish at shutdown and updates (default: 30)
      --cluster-wait-ms MS     how long new routes, listeners and clusters wait for what they name and is not there yet
                               (clusters, routes, secrets, endpoints, configurations of filters), while those that they
                               replace go on; 0: they take over at once, as in Envoy (default: 5000; with
                               --defaults envoy: 0)
      --config-store DIR       keeps what the control plane sent there, sealed, and starts from it while that is away
      --config-store-key FILE  its key: 32 bytes or 64 hexadecimal digits (default: DIR/key, made when it is not there)
      --defaults edge|envoy    edge: safe at the edge (default); envoy: as Envoy has them
      --report-only RULES      rules that clients may break, with commas, or all: counted and logged, not refused
                               (connect_port, host_conflict, underscore_names, unknown_expectation,
                               value_edge_space)
      --reject-unknown-dynamic-fields
                               refuse xDS resources with fields that nobody knows
      --version, --help
)";

bool number(const std::string& value, uint32_t max, uint32_t& out, std::string& error) {
  if (absl::SimpleAtoi(value, &out) && out <= max) return true;
  error = absl::StrCat("'", value, "' is not a number from 0 to ", max);
  return false;
}

using Setter = std::function<bool(Options&, const std::string&, std::string& error)>;

const std::map<std::string, Setter>& setters() {
  static const auto* const kSetters = new std::map<std::string, Setter>{
      {"--config-path",
       [](Options& o, const std::string& v, std::string&) {
         o.config_path = v;
         return true;
       }},
      {"--config-yaml",
       [](Options& o, const std::string& v, std::string&) {
         o.config_yaml = v;
         return true;
       }},
      {"--mode",
       [](Options& o, const std::string& v, std::string& error) {
         o.validate = v == "validate";
         if (o.validate || v == "serve") return true;
         error = absl::StrCat("'", v, "' is not a mode; use serve or validate");
         return false;
       }},
      {"--concurrency",
       [](Options& o, const std::string& v, std::string& error) { return number(v, 1024, o.concurrency, error); }},
      {"--service-node",
       [](Options& o, const std::string& v, std::string&) {
         o.service_node = v;
         return true;
       }},
      {"--service-cluster",
       [](Options& o, const std::string& v, std::string&) {
         o.service_cluster = v;
         return true;
       }},
      {"--log-level",
       [](Options& o, const std::string& v, std::string& error) {
         const auto level = observability::logLevelOf(v);
         if (level)
           o.log_level = *level;
         else
           error =
               absl::StrCat("'", v, "' is not a log level; use trace, debug, info, warning, error, critical or off");
         return level.has_value();
       }},
      {"--log-format",
       [](Options& o, const std::string& v, std::string&) {
         o.log_format = v;
         return true;
       }},
      {"--admin-address-path",
       [](Options& o, const std::string& v, std::string&) {
         o.admin_address_path = v;
         return true;
       }},
      {"--drain-time-s",
       [](Options& o, const std::string& v, std::string& error) {
         uint32_t seconds;
         if (!number(v, 86400, seconds, error)) return false;
         o.drain_time = std::chrono::seconds(seconds);
         return true;
       }},
      {"--cluster-wait-ms",
       [](Options& o, const std::string& v, std::string& error) {
         uint32_t ms;
         if (!number(v, 600'000, ms, error)) return false;
         o.cluster_wait = std::chrono::milliseconds(ms);
         return true;
       }},
      {"--config-store",
       [](Options& o, const std::string& v, std::string& error) {
         o.config_store = v;
         if (v.empty()) error = "no folder";
         return !v.empty();
       }},
      {"--config-store-key",
       [](Options& o, const std::string& v, std::string&) {
         o.config_store_key = v;
         return true;
       }},
      {"--defaults",
       [](Options& o, const std::string& v, std::string& error) {
         if (v != "edge" && v != "envoy") {
           error = absl::StrCat("'", v, "' names no defaults; use edge or envoy");
           return false;
         }
         o.defaults = v == "edge" ? config::Defaults::kEdge : config::Defaults::kEnvoy;
         return true;
       }},
      {"--report-only", [](Options& o, const std::string& v,
                           std::string& error) { return http::parseStrictRules(v, o.report_only, error); }},
  };
  return *kSetters;
}

}  // namespace

std::string_view versionText() {
  return "sluice 0.1.0 (Envoy API v1.40.0)";
}

ParsedOptions parseOptions(const std::vector<std::string>& arguments) {
  Options options;
  auto fail = [](std::string text) { return ParsedOptions{std::nullopt, text + "\n\n" + std::string(kHelp), true}; };
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string name = arguments[i];
    if (name == "--help" || name == "-h") return {std::nullopt, std::string(kHelp), false};
    if (name == "--version") return {std::nullopt, std::string(versionText()) + "\n", false};
    if (name == "--reject-unknown-dynamic-fields") {
      options.reject_unknown_dynamic_fields = true;
      continue;
    }
    std::optional<std::string> value;
    if (const size_t equals = name.find('='); equals != std::string::npos && name.starts_with("--")) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    if (name == "-c") name = "--config-path";
    if (name == "-l") name = "--log-level";
    const auto setter = setters().find(name);
    if (setter == setters().end()) {
      std::vector<std::string_view> names;
      for (const auto& [known, unused] : setters()) names.push_back(known);
      const std::string_view near = config::nearestName(name, names);
      return fail(absl::StrCat("unknown option '", name, "'",
                               near.empty() ? "" : absl::StrCat("; did you mean ", std::string(near), "?")));
    }
    if (!value) {
      if (i + 1 == arguments.size()) return fail(absl::StrCat("option '", name, "' needs a value"));
      value = arguments[++i];
    }
    std::string error;
    if (!setter->second(options, *value, error)) return fail(absl::StrCat("option '", name, "': ", error));
  }
  if (!options.config_store_key.empty() && options.config_store.empty()) {
    return fail("option '--config-store-key': there is no store; name its folder by --config-store");
  }
  if (options.config_path.empty() && options.config_yaml.empty()) {
    return fail("no configuration; give -c FILE or --config-yaml YAML");
  }
  return {options, "", false};
}

}  // namespace sluice::server
