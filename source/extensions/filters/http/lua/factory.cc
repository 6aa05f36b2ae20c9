#include "source/extensions/filters/http/lua/factory.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/lua/v3/lua.pb.h"
#include "sluice/extensions/filters/http/lua/v1/lua.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/lua/filter.h"
#include "source/filter/metadata_struct.h"

namespace sluice::extensions::http_filters::lua {
namespace {

using envoy::config::core::v3::DataSource;
using Proto = envoy::extensions::filters::http::lua::v3::Lua;
using RouteProto = envoy::extensions::filters::http::lua::v3::LuaPerRoute;
using BoundedProto = sluice::extensions::filters::http::lua::v1::Lua;

Limits defaultLimits(const config::Services& services) {
  Limits limits;
  limits.trusted = services.defaults == config::Defaults::kEnvoy;
  return limits;
}

// Null after an error. The script is tried here once, so that what does not load is refused.
std::shared_ptr<const Script> compileScript(const std::string& code, std::string name, const Limits& limits,
                                            const config::Context& at, const config::Services& services) {
  std::string error;
  const std::unique_ptr<Machine> machine = Machine::load(code, name, limits, {}, error);
  if (machine == nullptr) {
    at.error(absl::StrCat("is no script that loads: ", error));
    return nullptr;
  }
  if (!machine->has(Side::kRequest) && !machine->has(Side::kResponse)) {
    at.error(
        "has neither envoy_on_request nor envoy_on_response, so it would do nothing; define one as a global "
        "function");
    return nullptr;
  }
  return std::make_shared<Script>(code, std::move(name), limits, services.logger, services.local_slots);
}

std::shared_ptr<const Script> compileScript(const DataSource& source, std::string name, const Limits& limits,
                                            const config::Context& at, const config::Services& services) {
  const std::optional<std::string> code = config::compileDataSource(source, at);
  if (!code) return nullptr;
  if (!source.filename().empty()) name = source.filename();
  return compileScript(*code, std::move(name), limits, at, services);
}

Settings compileSettings(const Proto& proto, const config::FactoryContext& context, const Limits& limits) {
  config::Services& services = context.services;
  Settings settings;
  if (proto.has_default_source_code() && !proto.inline_code().empty()) {
    context.at.child("inline_code").error("is set beside default_source_code, which replaces it; keep that one");
  } else if (proto.has_default_source_code()) {
    settings.script = compileScript(proto.default_source_code(), "default_source_code", limits,
                                    context.at.child("default_source_code"), services);
  } else if (!proto.inline_code().empty()) {
    settings.script =
        compileScript(proto.inline_code(), "inline_code", limits, context.at.child("inline_code"), services);
  }
  for (const auto& [name, source] : proto.source_codes()) {
    settings.scripts[name] = compileScript(source, name, limits, context.at.entry("source_codes", name), services);
  }
  settings.clear_route_cache = !proto.has_clear_route_cache() || proto.clear_route_cache().value();
  settings.fails_open = services.defaults == config::Defaults::kEnvoy;
  settings.logger = services.logger;
  std::string base = absl::StrCat(context.owner, "lua.");
  if (!proto.stat_prefix().empty()) absl::StrAppend(&base, proto.stat_prefix(), ".");
  settings.errors = context.stats->counter(base + "errors");
  settings.executions = context.stats->counter(base + "executions");
  return settings;
}

config::RouteConfigPtr compileRouteSettings(const RouteProto& proto, const config::FactoryContext& context) {
  auto settings = std::make_shared<RouteSettings>();
  settings->off = proto.disabled();
  settings->name = proto.name();
  if (proto.has_source_code()) {
    settings->script = compileScript(proto.source_code(), "source_code", defaultLimits(context.services),
                                     context.at.child("source_code"), context.services);
  }
  if (proto.has_filter_context()) settings->context = filter::readStruct(proto.filter_context());
  return settings;
}

// A script that a route names and its filter does not have.
void checkName(const route::PerFilterConfig& settings, const filter::HttpFilterFactory& filter,
               const config::Context& at) {
  const auto* const route = route::settingsAs<RouteSettings>(&settings);
  if (route == nullptr || route->off || route->script != nullptr || route->name.empty()) return;
  const Settings& own = static_cast<const FilterFactory&>(filter).settings();
  if (own.scripts.contains(route->name)) return;
  std::string text = absl::StrCat("the filter has no script '", route->name, "' in source_codes");
  for (const auto& [name, script] : own.scripts) {
    absl::StrAppend(&text, name == own.scripts.begin()->first ? "; it has '" : ", '", name, "'");
  }
  own.fails_open ? at.child("name").warn(absl::StrCat(text, "; these requests go on without a script"))
                 : at.child("name").error(text);
}

class Factory : public config::RoutedHttpFilterOf<Proto, RouteProto> {
 public:
  std::string_view upstreamRefusal() const override { return {}; }
  void checkRoute(const route::PerFilterConfig& settings, const filter::HttpFilterFactory& filter,
                  const config::Context& at) const override {
    checkName(settings, filter, at);
  }

  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileSettings(proto, context, defaultLimits(context.services)));
  }

  config::RouteConfigPtr makeRouteConfig(const RouteProto& proto,
                                         const config::FactoryContext& context) const override {
    return compileRouteSettings(proto, context);
  }
};

class BoundedFactory : public config::RoutedHttpFilterOf<BoundedProto, RouteProto> {
 public:
  std::string_view upstreamRefusal() const override { return {}; }
  void checkRoute(const route::PerFilterConfig& settings, const filter::HttpFilterFactory& filter,
                  const config::Context& at) const override {
    checkName(settings, filter, at);
  }

  config::HttpFilterPtr makeFilter(const BoundedProto& proto, const config::FactoryContext& context) const override {
    Limits limits;
    limits.trusted = proto.trusted();
    if (limits.trusted && (proto.has_max_instructions() || proto.has_max_time())) {
      context.at.child("trusted").error(
          "is set beside max_instructions or max_time, which do not hold for a trusted "
          "script; keep one");
    }
    if (proto.has_max_instructions()) limits.instructions = proto.max_instructions().value();
    if (proto.has_max_time()) limits.time = config::compileMilliseconds(proto.max_time());
    if (proto.has_max_memory_bytes()) limits.memory = proto.max_memory_bytes().value();
    Settings settings = compileSettings(proto.lua(), context.child("lua"), limits);
    if (proto.has_max_body_bytes()) settings.body_limit = proto.max_body_bytes().value();
    settings.fails_open = proto.on_error() == BoundedProto::CONTINUE;
    return std::make_shared<FilterFactory>(std::move(settings));
  }

  config::RouteConfigPtr makeRouteConfig(const RouteProto& proto,
                                         const config::FactoryContext& context) const override {
    return compileRouteSettings(proto, context);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
  registry.http_filters.add(std::make_unique<BoundedFactory>());
}

}  // namespace sluice::extensions::http_filters::lua
