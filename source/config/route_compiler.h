#pragma once

// RouteConfiguration -> route::Table: what validate() cannot say because it concerns more than one value, and the
// translation itself. Protobuf ends here; the data path sees the table only.
//
// Thread: the one that loads (main, or a control plane). Every error is reported, not the first one only.

#include <functional>
#include <memory>
#include <string_view>

#include "envoy/config/route/v3/route.pb.h"
#include "google/protobuf/any.pb.h"

#include "source/config/errors.h"
#include "source/config/internal_redirect.h"
#include "source/config/match_place.h"
#include "source/config/rate_limit_extensions.h"
#include "source/config/retry_policy.h"
#include "source/config/virtual_clusters.h"
#include "source/route/cluster_names.h"
#include "source/route/filter_slots.h"
#include "source/route/table.h"
#include "source/runtime/snapshot.h"
#include "xds/type/matcher/v3/matcher.pb.h"

namespace sluice::config {

// compileMatcher, with the inputs and value matchers that there are.
using CompileMatcher = std::function<std::shared_ptr<const match::Matcher>(
    const ::xds::type::matcher::v3::Matcher& matcher, const MatchPlace& place, const Context& context)>;

// What the compiler asks of its surroundings. All of it outlives the call.
struct RouteCompilerDeps {
  route::ClusterNames& cluster_names;
  route::FilterSlots& filter_slots;

  // Compiles the setting of a filter in typed_per_filter_config; null after reporting to the context. `filter_name` is
  // the key. Not asked about FilterConfig, which is unwrapped here. Empty: no filter takes per-route settings.
  std::function<std::shared_ptr<const route::PerFilterConfig>(
      std::string_view filter_name, const google::protobuf::Any& config, const route::SettingsLevel& level,
      const Context& context)>
      compile_filter_config;

  // Whether a cluster is there, for `validate_clusters`. Empty: not known, nothing is checked.
  std::function<bool(std::string_view cluster)> cluster_exists;
  // What an unset `validate_clusters` means: true for a route_config in a static listener, false for RDS.
  bool validate_clusters_by_default = false;

  RetryExtensions retry_extensions = {};
  CompileRedirectPredicate compile_redirect_predicate = {};
  // Of trees of routes and clusters. Empty: they are refused.
  CompileMatcher compile_matcher = {};
  // Of descriptors of rate limits. Empty: they are refused.
  CompileMatchInput compile_input = {};
  // What runtime keys say; null: not known, what is configured holds.
  const runtime::Snapshot* runtime = nullptr;
  MakeRequestStats request_stats = {};
};

// The table, or null after reporting at least one error to `context`, which stands at the RouteConfiguration.
std::shared_ptr<const route::Table> compileRouteTable(const envoy::config::route::v3::RouteConfiguration& config,
                                                      const Context& context, const RouteCompilerDeps& deps);

}  // namespace sluice::config
