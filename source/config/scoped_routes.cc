#include "source/config/scoped_routes.h"

#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "source/config/config_source.h"
#include "source/config/filter_routes.h"
#include "source/match/header.h"

namespace sluice::config {
namespace {

using Proto = envoy::extensions::filters::network::http_connection_manager::v3::ScopedRoutes;
using Extractor = Proto::ScopeKeyBuilder::FragmentBuilder::HeaderValueExtractor;
using ScopeProto = envoy::config::route::v3::ScopedRouteConfiguration;

route::ScopeFragment compileFragment(const Extractor& proto, const Context& context) {
  route::ScopeFragment fragment;
  fragment.header = std::string(match::storedName(absl::AsciiStrToLower(proto.name())));
  fragment.element_separator = proto.element_separator();
  switch (proto.extract_type_case()) {
    case Extractor::kIndex:
      fragment.index = proto.index();
      if (proto.index() > 0 && proto.element_separator().empty()) {
        context.child("index").error("is more than 0, and without element_separator a value has one element only");
      }
      break;
    case Extractor::kElement:
      fragment.element = {proto.element().separator(), proto.element().key()};
      break;
    case Extractor::EXTRACT_TYPE_NOT_SET:
      context.error("does not say what to take of the header; write index or element");
  }
  return fragment;
}

route::ScopeKeyBuilder compileBuilder(const Proto::ScopeKeyBuilder& proto, const Context& context) {
  std::vector<route::ScopeFragment> fragments;
  for (int i = 0; i < proto.fragments_size(); ++i) {
    fragments.push_back(compileFragment(proto.fragments(i).header_value_extractor(),
                                        context.child("fragments", i).child("header_value_extractor")));
  }
  return route::ScopeKeyBuilder(std::move(fragments));
}

using CompileTable = std::function<std::shared_ptr<const route::Table>(
    const envoy::config::route::v3::RouteConfiguration& routes, const Context& context)>;

std::shared_ptr<const CompiledScope> compileScope(const ScopeProto& proto, const Context& context,
                                                  const CompileTable& compile_table) {
  const ErrorMark mark(context);
  auto scope = std::make_shared<CompiledScope>();
  scope->name = proto.name();
  std::vector<std::string> fragments;
  for (const auto& fragment : proto.key().fragments()) fragments.push_back(fragment.string_key());
  scope->key = route::scopeKey(fragments);
  scope->fragments = fragments.size();
  scope->key_text = absl::StrCat("[", absl::StrJoin(fragments, ", "), "]");
  scope->routes = proto.route_configuration_name();
  scope->on_demand = proto.on_demand();
  scope->proto = proto;
  if (proto.has_route_configuration()) {
    const Context at = context.child("route_configuration");
    if (!scope->routes.empty()) at.error("stands beside route_configuration_name; a scope has one table, remove one");
    if (scope->on_demand) at.error("is here already, so it cannot be on_demand; remove on_demand, or name a table");
    scope->table = compile_table(proto.route_configuration(), at);
  } else if (scope->routes.empty()) {
    context.error("has no table; write route_configuration_name or route_configuration");
  }
  if (mark.hit()) return nullptr;
  return scope;
}

}  // namespace

std::shared_ptr<const CompiledScope> compileScope(const ScopeProto& proto, const Context& context, Services& services) {
  return compileScope(proto, context, [&](const auto& routes, const Context& at) {
    return compileRoutes(routes, at, services, nullptr);
  });
}

std::optional<CompiledScopes> compileScopedRoutes(const Proto& proto, const Context& context, Services& services,
                                                  const ChainFilters& chain, const std::string& owner,
                                                  const std::string& identity) {
  const ErrorMark mark(context);
  CompiledScopes scopes;
  scopes.name = proto.name();
  scopes.builder = compileBuilder(proto.scope_key_builder(), context.child("scope_key_builder"));
  if (proto.has_rds_config_source()) {
    compileConfigSource(proto.rds_config_source(), context.child("rds_config_source"));
    scopes.rds_source = proto.rds_config_source();
  }
  if (proto.has_scoped_rds()) {
    scopes.scopes_source = proto.scoped_rds().scoped_rds_config_source();
    compileConfigSource(*scopes.scopes_source, context.child("scoped_rds").child("scoped_rds_config_source"));
    if (!scopes.rds_source) {
      context.child("rds_config_source").error("is needed: scopes by SRDS may name tables, which come from there");
    }
  }
  const Context list = context.child("scoped_route_configurations_list");
  std::map<std::string, std::string> by_key;
  std::set<std::string> names;
  for (int i = 0; i < proto.scoped_route_configurations_list().scoped_route_configurations_size(); ++i) {
    const ScopeProto& each = proto.scoped_route_configurations_list().scoped_route_configurations(i);
    const Context at = list.child("scoped_route_configurations", i);
    const auto scope = compileScope(each, at, [&](const auto& routes, const Context& where) {
      return compileRoutes(routes, where, services, &chain, owner,
                           absl::StrCat(identity, "/scope '", each.name(), "'"));
    });
    if (!scope) continue;
    if (!names.insert(scope->name).second) {
      at.child("name").error(absl::StrCat("\"", scope->name, "\" is another scope's name, too; choose another one"));
    }
    if (const auto [other, added] = by_key.try_emplace(scope->key, scope->name); !added) {
      at.child("key").error(absl::StrCat("scope '", scope->name, "' has the key of scope '", other->second, "', ",
                                         scope->key_text, "; a request can be of one scope only, change one of them"));
    }
    if (scope->fragments != scopes.builder.size()) {
      at.child("key").warn(absl::StrCat("scope '", scope->name, "' has ", scope->fragments,
                                        " fragments, and scope_key_builder makes keys of ", scopes.builder.size(),
                                        ": no request is ever of it"));
    }
    if (!scope->routes.empty() && !scopes.rds_source) {
      at.child("route_configuration_name")
          .error("comes by RDS, and nothing says from where; add rds_config_source to scoped_routes");
    }
    scopes.fixed.push_back(scope);
  }
  if (mark.hit()) return std::nullopt;
  return scopes;
}

}  // namespace sluice::config
