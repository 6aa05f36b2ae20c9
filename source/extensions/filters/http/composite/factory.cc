#include "source/extensions/filters/http/composite/factory.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/common/matching/v3/extension_matcher.pb.h"
#include "envoy/extensions/filters/common/matcher/action/v3/skip_action.pb.h"
#include "envoy/extensions/filters/http/composite/v3/composite.pb.h"
#include "source/base/text.h"
#include "source/config/any_type.h"
#include "source/config/filter_discovery.h"
#include "source/config/http_filter_factory.h"
#include "source/config/matcher_compiler.h"
#include "source/config/runtime_compiler.h"
#include "source/extensions/filters/http/composite/filter.h"

namespace sluice::extensions::http_filters::composite {
namespace {

namespace v3 = envoy::extensions::filters::http::composite::v3;
using config::Context;
using config::FactoryContext;
using envoy::config::core::v3::TypedExtensionConfig;
using envoy::extensions::common::matching::v3::ExtensionWithMatcher;
using envoy::extensions::common::matching::v3::ExtensionWithMatcherPerRoute;
using envoy::extensions::filters::common::matcher::action::v3::SkipFilter;

// Which actions a matcher may have.
struct Actions {
  bool execute = true;
  bool skip = true;
};

// The context of a filter that stands at `at`, in which it has a name of its own.
FactoryContext innerContext(const FactoryContext& context, const Context& at) {
  FactoryContext out = context.moved(at);
  if (!out.identity.empty()) absl::StrAppend(&out.identity, "/", at.path());
  return out;
}

// A matcher, which a route may replace, chooses whether the filter is there.
void checkSwitch(std::string_view refusal, const Context& at) {
  if (!refusal.empty()) at.error(base::strCat("would be there for some requests only: ", refusal));
}

// `at`: of the TypedExtensionConfig. Null after an error.
FactoryPtr compileInner(const TypedExtensionConfig& proto, const FactoryContext& context, const Context& at) {
  const Context typed = at.child("typed_config");
  const auto match = context.services.registry.http_filters.resolve(proto.typed_config(), typed);
  if (!match) return nullptr;
  FactoryPtr out = match.factory->compile(*match.config, innerContext(context, typed));
  if (out != nullptr) checkSwitch(match.factory->switchRefusal(out.get()), typed);
  return out;
}

// `at`: of the DynamicConfig. Null after an error.
FactoryPtr compileDynamic(const v3::DynamicConfig& proto, const FactoryContext& context, const Context& at) {
  const Context source = at.child("config_discovery");
  if (proto.has_config_discovery()) {
    checkSwitch(config::discoveredSwitchRefusal(proto.config_discovery(), context.services, at), source);
    return config::compileDiscoveredFilter(proto.name(), proto.config_discovery(), innerContext(context, source))
        .factory;
  }
  source.error("is missing; say where the configuration comes from");
  return nullptr;
}

Choice compileExecution(const v3::ExecuteFilterAction& proto, const FactoryContext& context, const Context& at) {
  Choice out;
  if (proto.has_typed_config() == proto.has_dynamic_config()) {
    at.error("needs one of typed_config and dynamic_config, which say what is to be executed");
    return out;
  }
  out.factory = proto.has_typed_config() ? compileInner(proto.typed_config(), context, at.child("typed_config"))
                                         : compileDynamic(proto.dynamic_config(), context, at.child("dynamic_config"));
  if (proto.has_sample_percent()) {
    out.sample = config::compileFraction(proto.sample_percent(), context.services.runtime.get());
  }
  return out;
}

// `at`: of the matcher.
Choices compileChoices(const xds::type::matcher::v3::Matcher& proto, Actions actions, const FactoryContext& context,
                       const Context& at) {
  Choices out;
  const auto action = [&](const google::protobuf::Any& any, const Context& place) -> std::optional<match::Action> {
    const auto message = config::unpackAny(any, place);
    if (message == nullptr) return std::nullopt;
    const auto* const execute = dynamic_cast<const v3::ExecuteFilterAction*>(message.get());
    if (execute != nullptr && actions.execute) {
      out.choices.push_back(compileExecution(*execute, context, place));
    } else if (actions.skip && dynamic_cast<const SkipFilter*>(message.get()) != nullptr) {
      out.choices.emplace_back();
    } else {
      place.error(absl::StrCat("is a ", message->GetDescriptor()->full_name(), "; here it has to be ",
                               actions.execute ? v3::ExecuteFilterAction::descriptor()->full_name()
                                               : SkipFilter::descriptor()->full_name()));
      return std::nullopt;
    }
    return static_cast<match::Action>(out.choices.size() - 1);
  };
  out.matcher = config::compileMatcher(proto, {"the matcher of a filter", match::kRequestParts, false, action},
                                       context.moved(at));
  return out;
}

observability::Counter delegated(const FactoryContext& context) {
  return context.stats->counter(absl::StrCat(context.owner, "composite.filter_delegation_success"));
}

class CompositeFactory : public config::RoutedHttpFilterOf<v3::Composite, v3::CompositePerRoute> {
 public:
  config::HttpFilterPtr makeFilter(const v3::Composite& proto, const FactoryContext& context) const override {
    Settings settings;
    settings.delegated = delegated(context);
    if (proto.has_matcher()) {
      settings.choices = compileChoices(proto.matcher(), {}, context, context.at.child("matcher"));
    }
    return std::make_shared<FilterFactory>(std::move(settings));
  }

  config::RouteConfigPtr makeRouteConfig(const v3::CompositePerRoute& proto,
                                         const FactoryContext& context) const override {
    return std::make_shared<RouteSettings>(compileChoices(proto.matcher(), {}, context, context.at.child("matcher")));
  }
};

class MatcherFactory : public config::RoutedHttpFilterOf<ExtensionWithMatcher, ExtensionWithMatcherPerRoute> {
 public:
  config::HttpFilterPtr makeFilter(const ExtensionWithMatcher& proto, const FactoryContext& context) const override {
    Settings settings;
    settings.delegated = delegated(context);
    const bool composite = compileExtension(proto.extension_config(), context, settings);
    const Context at = context.at.child("xds_matcher");
    if (proto.has_xds_matcher()) {
      settings.choices = compileChoices(proto.xds_matcher(), {composite, !composite}, context, at);
    } else {
      at.error("is missing; say for which requests the filter is");
    }
    return std::make_shared<FilterFactory>(std::move(settings));
  }

  config::RouteConfigPtr makeRouteConfig(const ExtensionWithMatcherPerRoute& proto,
                                         const FactoryContext& context) const override {
    const Context at = context.at.child("xds_matcher");
    if (!proto.has_xds_matcher()) at.error("is missing; say for which requests the filter is");
    Choices choices;
    if (proto.has_xds_matcher()) choices = compileChoices(proto.xds_matcher(), {}, context, at);
    return std::make_shared<RouteSettings>(std::move(choices));
  }

 private:
  // Whether the filter is a Composite, which stands for what the matcher chooses.
  static bool compileExtension(const TypedExtensionConfig& proto, const FactoryContext& context, Settings& out) {
    const Context at = context.at.child("extension_config");
    if (config::describedType(proto.typed_config()) != v3::Composite::descriptor()->full_name()) {
      out.otherwise = compileInner(proto, context, at);
      return false;
    }
    const auto composite = config::unpackOnly<v3::Composite>(proto.typed_config(), at.child("typed_config"));
    if (composite != nullptr && composite->has_matcher()) {
      at.child("typed_config").child("matcher").error("stands beside xds_matcher; keep one of the two");
    }
    return true;
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<CompositeFactory>());
  registry.http_filters.add(std::make_unique<MatcherFactory>());
}

}  // namespace sluice::extensions::http_filters::composite
