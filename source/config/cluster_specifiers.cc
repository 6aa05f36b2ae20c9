#include "source/config/cluster_specifiers.h"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sluice/route/v1/sticky_split.pb.h"
#include "source/base/text.h"
#include "source/config/any_type.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::config::route::v3;
namespace tree = envoy::extensions::router::cluster_specifiers::matcher::v3;

}  // namespace

bool isUnknownPlugin(const v3::ClusterSpecifierPlugin& plugin) {
  const google::protobuf::Any& config = plugin.extension().typed_config();
  return plugin.is_optional() && !config.type_url().empty() && !isKnownType(config);
}

std::unique_ptr<google::protobuf::Message> unpackPlugin(const v3::ClusterSpecifierPlugin& plugin,
                                                        const Context& context) {
  const google::protobuf::Any& config = plugin.extension().typed_config();
  if (!config.type_url().empty()) return unpackAny(config, context);
  context.error("has no \"@type\"; name the message that chooses the cluster");
  return nullptr;
}

void refusePlugin(const google::protobuf::Message& message, const Context& context) {
  context.error(absl::StrCat(message.GetTypeName(),
                             " does not choose clusters; known: ", route::v1::StickySplit::descriptor()->full_name(),
                             ", ", tree::MatcherClusterSpecifier::descriptor()->full_name()));
}

route::ClusterTreeSpec compileClusterTree(
    const tree::MatcherClusterSpecifier& config, const Context& context, const CompileMatcher& compile,
    const std::function<route::ClusterId(const std::string& name, const Context& context)>& named) {
  route::ClusterTreeSpec out;
  const Context at = context.child("cluster_matcher");
  if (!compile) {
    at.error("is not supported here; name a cluster");
    return out;
  }
  const auto action = [&](const google::protobuf::Any& any, const Context& action_at) -> std::optional<match::Action> {
    const std::unique_ptr<google::protobuf::Message> message = unpackAny(any, action_at);
    if (message == nullptr) return std::nullopt;
    const auto* to = dynamic_cast<const tree::ClusterAction*>(message.get());
    if (to == nullptr) {
      action_at.error(absl::StrCat(message->GetTypeName(), " does not name a cluster; there is ",
                                   tree::ClusterAction::descriptor()->full_name()));
      return std::nullopt;
    }
    out.clusters.emplace_back(named(to->cluster(), action_at.child("cluster")), to->cluster());
    return static_cast<match::Action>(out.clusters.size() - 1);
  };
  out.matcher = compile(config.cluster_matcher(), {"a cluster specifier", match::kRequestParts, false, action}, at);
  return out;
}

NamedPlugins::NamedPlugins(const v3::RouteConfiguration& config, const Context& context, const Compile& compile) {
  for (int i = 0; i < config.cluster_specifier_plugins_size(); ++i) {
    const v3::ClusterSpecifierPlugin& plugin = config.cluster_specifier_plugins(i);
    const Context at = context.child("cluster_specifier_plugins", static_cast<size_t>(i));
    const std::string& name = plugin.extension().name();
    const ErrorMark mark(context);
    compile(plugin, at);
    if (plugins_.emplace(name, Plugin{&plugin, at, !mark.hit()}).second) continue;
    at.child("extension")
        .child("name")
        .error(absl::StrCat("\"", name, "\" is the name of another of the cluster_specifier_plugins; routes find them ",
                            "by their names"));
  }
}

bool NamedPlugins::takes(const Plugin& plugin, const Context& context) {
  if (bytes_ > kMostBytes) return false;
  bytes_ += plugin.proto->extension().typed_config().value().size();
  if (bytes_ <= kMostBytes) return true;
  context.error(
      absl::StrCat("is one use too many: the cluster_specifier_plugins that routes name, taken once for each ",
                   "route, have more than ", kMostBytes, " bytes; name large ones in fewer routes"));
  return false;
}

void NamedPlugins::use(const std::string& name, const Context& context, const Compile& compile) {
  const auto found = plugins_.find(name);
  if (found != plugins_.end()) {
    if (found->second.good && takes(found->second, context)) compile(*found->second.proto, found->second.at);
    return;
  }
  std::vector<std::string_view> names;
  for (const auto& [known, plugin] : plugins_) names.push_back(known);
  const std::string_view nearest = nearestName(name, names);
  context.error(
      absl::StrCat("\"", name, "\" is none of the cluster_specifier_plugins of the route configuration",
                   nearest.empty() ? "; add it" : absl::StrCat("; did you mean \"", base::toAbsl(nearest), "\"?")));
}

}  // namespace sluice::config
