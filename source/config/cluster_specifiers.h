// What chooses the cluster of a request: messages of ClusterSpecifierPlugin. Thread: main. Run after validate().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/router/cluster_specifiers/matcher/v3/matcher.pb.h"
#include "google/protobuf/message.h"
#include "source/config/errors.h"
#include "source/config/route_compiler.h"
#include "source/route/spec.h"

namespace sluice::config {

// Whether a plugin that says is_optional has a message that nobody knows.
bool isUnknownPlugin(const envoy::config::route::v3::ClusterSpecifierPlugin& plugin);

// The message of a plugin. Null after reporting to `context`, which stands at its typed_config.
std::unique_ptr<google::protobuf::Message> unpackPlugin(const envoy::config::route::v3::ClusterSpecifierPlugin& plugin,
                                                        const Context& context);
// Reports that a message is no cluster specifier.
void refusePlugin(const google::protobuf::Message& message, const Context& context);

// The clusters of `config` get their ids by `named`. Its matcher is null after an error. `context` stands at the
// message.
route::ClusterTreeSpec compileClusterTree(
    const envoy::extensions::router::cluster_specifiers::matcher::v3::MatcherClusterSpecifier& config,
    const Context& context, const CompileMatcher& compile,
    const std::function<route::ClusterId(const std::string& name, const Context& context)>& named);

// RouteConfiguration.cluster_specifier_plugins by their names.
class NamedPlugins {
 public:
  // Each route that names a plugin has a compiled one of its own, so what they take is bounded: bytes of the messages.
  static constexpr size_t kMostBytes = 64 * 1024 * 1024;

  // Compiles each by `compile`, once, so that what is wrong is reported once and also of plugins that no route names.
  using Compile = std::function<void(const envoy::config::route::v3::ClusterSpecifierPlugin&, const Context& context)>;
  NamedPlugins(const envoy::config::route::v3::RouteConfiguration& config, const Context& context,
               const Compile& compile);

  // Calls `compile` with the plugin of that name, unless something was wrong with it. `context` stands where it is
  // named; there it is reported if there is none.
  void use(const std::string& name, const Context& context, const Compile& compile);

 private:
  struct Plugin {
    const envoy::config::route::v3::ClusterSpecifierPlugin* proto;
    Context at;
    bool good;
  };
  // Notes a use. False if it is one too many, which is reported once.
  bool takes(const Plugin& plugin, const Context& context);

  std::map<std::string, Plugin> plugins_;
  size_t bytes_ = 0;
};

}  // namespace sluice::config
