// ScopedRoutes of a connection manager, and the scopes themselves.
//
// Thread: main. Run after validate(). Everything wrong is reported to `context`.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/route/v3/scoped_route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "source/config/services.h"
#include "source/route/scopes.h"

namespace sluice::config {

// A scope, wherever it comes from.
struct CompiledScope {
  std::string name;
  std::string key;                                 // route::scopeKey
  size_t fragments = 0;                            // of it
  std::string key_text;                            // for people
  std::string routes;                              // its table's name, by RDS; empty: `table`
  std::shared_ptr<const route::Table> table = {};  // stands in the scope
  bool on_demand = false;
  envoy::config::route::v3::ScopedRouteConfiguration proto = {};  // for the admin pages
};

// What a connection manager says of its scopes.
struct CompiledScopes {
  using Source = envoy::config::core::v3::ConfigSource;

  std::string name;
  route::ScopeKeyBuilder builder;
  std::optional<Source> rds_source;                         // nullopt: no scope may name a table
  std::optional<Source> scopes_source;                      // by SRDS; nullopt: those below
  std::vector<std::shared_ptr<const CompiledScope>> fixed;  // each with another key
};

// Gives the scopes of connection managers their places, asks for their tables, and for scopes by SRDS.
class ScopeSlots {
 public:
  virtual ~ScopeSlots() = default;
  // `chain` and `stat_prefix`: of the connection manager. `init`: of what is being compiled, which waits for the
  // tables; null: nobody waits. Null after reporting to `context`.
  virtual std::shared_ptr<const route::ScopesSlot> scopes(CompiledScopes scopes, const ChainFilters& chain,
                                                          const std::string& stat_prefix, InitTargets* init,
                                                          const Context& context) = 0;
};

// Nullopt after reporting. `chain`, `owner`, `identity`: as of compileRoutes.
std::optional<CompiledScopes> compileScopedRoutes(
    const envoy::extensions::filters::network::http_connection_manager::v3::ScopedRoutes& proto, const Context& context,
    Services& services, const ChainFilters& chain, const std::string& owner, const std::string& identity);

// One by SRDS, whose table many connection managers share. Null after reporting.
std::shared_ptr<const CompiledScope> compileScope(const envoy::config::route::v3::ScopedRouteConfiguration& proto,
                                                  const Context& context, Services& services);

}  // namespace sluice::config
