#include "source/explain/filters.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"
#include "source/base/text.h"
#include "source/config/any_type.h"
#include "source/config/http_filter_factory.h"
#include "source/config/redact.h"

namespace sluice::explain {
namespace {

using google::protobuf::Any;
using HttpFilter = envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;

// Folders of filters that decide about who gets in, or how often. `composite` may choose such a one.
constexpr auto kAccess = std::to_array<std::string_view>(
    {"api_key_auth", "basic_auth", "bot_detection", "composite", "cors", "csrf", "ext_authz", "hmac_auth", "jwt_authn",
     "key_auth", "ldap_auth", "mtls_auth", "local_ratelimit", "oauth2", "oauth2_server", "policy", "rate_limit_quota",
     "ratelimit", "rbac"});

// "envoy.extensions.filters.http.rbac.v3.RBAC" is one of "rbac".
bool decidesAboutAccess(const std::string& type) {
  const std::vector<std::string> parts = absl::StrSplit(type, '.');
  return parts.size() >= 3 && std::find(kAccess.begin(), kAccess.end(), parts[parts.size() - 3]) != kAccess.end();
}

// Empty: it cannot be printed. Entries of maps have an order of their own each time: here it is that of names.
std::string jsonOf(google::protobuf::Message& message) {
  config::redact(message);
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string out;
  if (!google::protobuf::util::MessageToJsonString(message, &out, options).ok()) return {};
  const auto json = nlohmann::json::parse(out, nullptr, /*allow_exceptions=*/false);
  return json.is_discarded() ? out : json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string jsonOf(const Any& any) {
  config::ErrorList ignored;
  const auto message = config::unpackAny(any, config::Context(ignored));
  return message == nullptr ? std::string() : jsonOf(*message);
}

// One of the levels of a route, from the least specific to the most.
struct Level {
  std::string_view name, resource;
  route::PerFilterConfigs configs;
  const google::protobuf::Map<std::string, Any>* settings;  // null: not known
  const std::string& path;
};

class Describer {
 public:
  Describer(const route::Match& match, const RouteProtos& protos, const Configuration& configuration)
      : configuration_(configuration) {
    if (match.virtual_host == nullptr) return;
    slots_ = match.table->slotCount();
    const auto add = [this](std::string_view name, std::string_view resource, route::PerFilterConfigs configs,
                            const auto* proto, const std::string& path) {
      levels_.push_back(
          {name, resource, configs, proto == nullptr ? nullptr : &proto->typed_per_filter_config(), path});
    };
    add("table", match.table->name(), match.table->perFilter(), protos.table, protos.table_path);
    add("virtual_host", match.virtual_host->name, match.virtual_host->per_filter, protos.virtual_host,
        protos.virtual_host_path);
    if (match.route == nullptr) return;
    add("route", match.route->name, match.route->per_filter, protos.route, protos.route_path);
    if (match.choice == nullptr) return;
    add("cluster", match.table->clusterName(match.choice->cluster), match.choice->per_filter, protos.share,
        protos.share_path);
  }

  // What the levels say of a filter.
  void describeLevels(const filter::ChainConfig::Entry& entry, FilterPart& out) const {
    const route::PerFilterConfig* above = nullptr;
    for (const Level& level : levels_) {
      const bool any = level.configs != nullptr && entry.slot < slots_;
      const route::PerFilterConfig* const own = any ? level.configs[entry.slot] : nullptr;
      if (own == nullptr || own == above) continue;
      above = own;
      FilterLevel& shown = out.levels.emplace_back();
      shown.level = level.name;
      shown.resource = level.resource;
      shown.disabled = own->disabled();
      shown.settings = own->hasSettings();
      shown.place = placeIn(level.path, entry.name);
      if (shown.settings) takeSettings(level, entry.name, out);
    }
    if (entry.always) {
      out.why = "no route may disable it";
    } else if (above != nullptr) {
      out.enabled = !above->disabled();
      const FilterLevel& last = out.levels.back();
      out.why = base::strCat(out.enabled ? "settings of the " : "disabled by the ", last.level);
      if (!last.resource.empty()) base::strAppend(out.why, " '", last.resource, "'");
    } else {
      out.enabled = !entry.disabled;
      if (entry.disabled) out.why = "disabled in the chain, and the route does not enable it";
    }
  }

 private:
  Place placeIn(const std::string& path, const std::string& filter) const {
    config::ErrorList ignored;
    const config::Context at(ignored, nullptr, path);
    return placeOf(configuration_, at.entry("typed_per_filter_config", filter).path());
  }

  static void takeSettings(const Level& level, const std::string& filter, FilterPart& out) {
    out.settings.clear();
    out.settings_of = level.name;
    if (level.settings == nullptr) return;
    const auto found = level.settings->find(filter);
    if (found == level.settings->end()) return;
    envoy::config::route::v3::FilterConfig wrapper;
    out.settings = jsonOf(found->second.UnpackTo(&wrapper) ? wrapper.config() : found->second);
  }

  const Configuration& configuration_;
  std::vector<Level> levels_;
  route::FilterSlot slots_ = 0;  // that the table knows
};

// What stands in parentheses in a line of HttpFilterConfigFactory::explain() is the path of a field.
FilterRule ruleOf(std::string_view line, const Configuration& configuration) {
  FilterRule out{.text = std::string(line), .place = {}};
  const size_t begin = line.find(" (");
  const size_t end = begin == std::string_view::npos ? begin : line.find(')', begin);
  if (end != std::string_view::npos) {
    out.place = placeOf(configuration, std::string(line.substr(begin + 2, end - begin - 2)));
  }
  return out;
}

void describeRules(const filter::ChainConfig::Entry& entry, const HttpFilter& proto, const route::Match& match,
                   const Configuration& configuration, FilterPart& out) {
  if (!proto.has_typed_config()) return;
  config::ErrorList ignored;
  const auto found = configuration.registry().http_filters.resolve(proto.typed_config(), config::Context(ignored));
  if (!found) return;
  const route::PerFilterLevels levels =
      match.table == nullptr ? route::PerFilterLevels() : match.perFilterLevels(entry.slot);
  const std::string text = found.factory->explain(*entry.factory, levels);
  for (const auto line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    out.rules.push_back(ruleOf(base::toStd(line), configuration));
  }
}

using HttpFilters = google::protobuf::RepeatedPtrField<HttpFilter>;

// The list that the chain was made of, with its path.
std::pair<const HttpFilters*, config::Context> listOf(const Served& served, const filter::ChainConfig& chain,
                                                      const config::Context& at) {
  const auto& upgrades = served.settings->upgrade_chains;
  for (const session::UpgradeChain& each : upgrades) {
    if (&each.chain->first() != &chain) continue;
    for (int i = 0; i < served.manager->upgrade_configs_size(); ++i) {
      const auto& proto = served.manager->upgrade_configs(i);
      const bool same = absl::EqualsIgnoreCase(proto.upgrade_type(), each.type);
      if (same) return {&proto.filters(), at.child("upgrade_configs", static_cast<size_t>(i)).child("filters")};
    }
  }
  return {&served.manager->http_filters(), at.child("http_filters")};
}

}  // namespace

std::vector<FilterPart> describeFilters(const Served& served, const filter::ChainConfig& chain,
                                        const route::Match& match, const RouteProtos& protos,
                                        const Configuration& configuration) {
  config::ErrorList ignored;
  const auto [filters, at] = listOf(served, chain, config::Context(ignored, nullptr, served.manager_path));
  const Describer describer(match, protos, configuration);
  std::vector<FilterPart> out;
  int next = 0;  // filters that were left out have no entry
  for (const filter::ChainConfig::Entry& entry : chain.entries()) {
    while (next < filters->size() && (*filters)[next].name() != entry.name) ++next;
    FilterPart& part = out.emplace_back();
    part.name = entry.name;
    describer.describeLevels(entry, part);
    if (next == filters->size()) continue;
    const HttpFilter& proto = (*filters)[next];
    part.place = placeOf(configuration, base::strCat(at.path(), "[", next, "]"));
    ++next;
    if (proto.has_typed_config()) {
      part.type = config::describedType(proto.typed_config());
      if (part.settings_of.empty()) part.settings = jsonOf(proto.typed_config());
    } else if (proto.config_discovery().type_urls_size() > 0) {
      part.type = config::typeNameOf(proto.config_discovery().type_urls(0));
      if (part.why.empty()) part.why = "its configuration is discovered";
    }
    if (part.settings_of.empty()) part.settings_of = "filter";
    part.access = decidesAboutAccess(part.type);
    describeRules(entry, proto, match, configuration, part);
  }
  return out;
}

}  // namespace sluice::explain
