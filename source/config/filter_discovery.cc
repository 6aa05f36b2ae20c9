#include "source/config/filter_discovery.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "source/base/text.h"
#include "source/config/any_type.h"
#include "source/config/config_source.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/extension_configs.h"
#include "source/config/holding.h"
#include "source/config/http_filter_factory.h"
#include "source/config/listener_filter_factory.h"
#include "source/config/registry.h"
#include "source/filter/discovered_filter.h"

namespace sluice::config {
namespace {

using envoy::config::core::v3::ExtensionConfigSource;

// What is different between the kinds of filters.
struct HttpFilters {
  using Type = HttpFilterConfigFactory;
  using Made = filter::HttpFilterFactory;
  static constexpr std::string_view kName = "an HTTP filter";
  static constexpr std::string_view kStats = "extension_config_discovery.http_filter";
  static const FactoryTable<Type>& table(const Registry& registry) { return registry.http_filters; }
};
struct ListenerFilters {
  using Type = ListenerFilterConfigFactory;
  using Made = filter::ListenerFilter;
  static constexpr std::string_view kName = "a listener filter";
  static constexpr std::string_view kStats = "extension_config_discovery.tcp_listener_filter";
  static const FactoryTable<Type>& table(const Registry& registry) { return registry.listener_filters; }
};
struct NetworkFilters {
  using Type = ConnectionFilterConfigFactory;
  using Made = filter::NetworkFilterFactory;
  static constexpr std::string_view kName = "a network filter in front of the last one";
  static constexpr std::string_view kStats = "extension_config_discovery.network_filter";
  static const FactoryTable<Type>& table(const Registry& registry) { return registry.connection_filters; }
};

// Gives the versions of a configuration to the filters of a chain, for as long as there is the chain.
template <typename Kind>
class User final : public ExtensionUser {
 public:
  using Holder = worker::Exchanged<typename Kind::Made>;
  using MadePtr = typename Holder::Ptr;

  User(const FactoryContext& context, std::vector<std::string> types)
      : services_(context.services), owner_(context.owner), identity_(context.identity), types_(std::move(types)) {}

  void serve(const std::shared_ptr<Holder>& holder, MadePtr by_default, InitTarget wait) {
    holder_ = holder;
    default_ = std::move(by_default);
    wait_ = std::move(wait);
  }
  // What a configuration makes; null after an error. Its stats live as long as it.
  MadePtr compile(const google::protobuf::Any& typed_config, const Context& context) const {
    const std::string type = describedType(typed_config);
    if (std::find(types_.begin(), types_.end(), type) == types_.end()) {
      context.error(absl::StrCat("is a ", type, "; type_urls allows ", absl::StrJoin(types_, ", ")));
      return nullptr;
    }
    Holding holding(services_);
    return holding.tie(
        Kind::table(services_.registry).compile(typed_config, holding.context(context, owner_, identity_)));
  }

  bool alive() const override { return !holder_.expired(); }
  std::string_view statGroup() const override { return Kind::kStats; }
  std::function<void()> prepare(const google::protobuf::Any& typed_config, const Context& context) override {
    MadePtr made = compile(typed_config, context);
    if (made == nullptr) return {};
    return [this, made = std::move(made)] { set(made); };
  }
  void removed() override { set(default_); }
  void givenUp(std::chrono::milliseconds grace) override { wait_.absent(grace); }

 private:
  void set(const MadePtr& made) {
    if (const std::shared_ptr<Holder> holder = holder_.lock()) holder->set(made);
    wait_.ready();
  }

  Services& services_;
  const std::string owner_, identity_;
  const std::vector<std::string> types_;  // full names
  std::weak_ptr<Holder> holder_;
  MadePtr default_;  // null: none
  InitTarget wait_;
};

// The full names; those that are of another kind are reported.
template <typename Kind>
std::vector<std::string> compileTypes(const ExtensionConfigSource& proto, const FactoryContext& context) {
  std::vector<std::string> out;
  for (int i = 0; i < proto.type_urls_size(); ++i) {
    out.emplace_back(discoveredType(proto.type_urls(i)));
    if (Kind::table(context.services.registry).find(out.back()) != nullptr) continue;
    context.at.child("type_urls", static_cast<size_t>(i))
        .error(base::strCat(out.back(), " does not configure ", Kind::kName, ", which is what is discovered here"));
  }
  return out;
}

// Null after an error.
template <typename Kind>
std::shared_ptr<typename User<Kind>::Holder> discover(const std::string& name, const ExtensionConfigSource& proto,
                                                      const FactoryContext& context) {
  using Holder = typename User<Kind>::Holder;
  const ErrorMark mark(context.at);
  Services& services = context.services;
  const Context source = context.at.child("config_source");
  compileConfigSource(proto.config_source(), source);
  const auto user = std::make_shared<User<Kind>>(context, compileTypes<Kind>(proto, context));
  typename Holder::Ptr by_default;
  if (proto.has_default_config()) {
    by_default = user->compile(proto.default_config(), context.at.child("default_config"));
  } else if (proto.apply_default_config_without_warming()) {
    context.at.child("apply_default_config_without_warming").error("needs a default_config");
  }
  if (mark.hit()) return nullptr;
  ExtensionConfigs* const configs = services.extension_configs;
  std::function<void()> ended = configs == nullptr ? std::function<void()>() : configs->userEnded();
  const std::shared_ptr<Holder> holder(new Holder(services.local_slots, by_default), [ended](Holder* gone) {
    delete gone;
    if (ended) ended();
  });
  const bool waits = configs != nullptr && !proto.apply_default_config_without_warming();
  user->serve(holder, std::move(by_default),
              waits ? context.waitFor(absl::StrCat("configuration of filter '", name, "'")) : InitTarget());
  if (configs != nullptr) configs->follow(user, name, proto.config_source(), source);
  return mark.hit() ? nullptr : holder;
}

}  // namespace

DiscoveredHttpFilter compileDiscoveredFilter(const std::string& name, const ExtensionConfigSource& proto,
                                             const FactoryContext& context) {
  const auto holder = discover<HttpFilters>(name, proto, context);
  if (holder == nullptr) return {};
  return {std::make_shared<filter::DiscoveredFilterFactory>(holder),
          context.services.registry.http_filters.find(discoveredType(proto.type_urls(0)))};
}

std::string_view discoveredSwitchRefusal(const ExtensionConfigSource& proto, const Services& services,
                                         const Context& at) {
  std::string_view refusal;
  for (const std::string& url : proto.type_urls()) {
    const HttpFilterConfigFactory* const type = services.registry.http_filters.find(discoveredType(url));
    if (type != nullptr && refusal.empty()) refusal = type->switchRefusal(nullptr);
  }
  if (!refusal.empty() && proto.type_urls_size() > 1) {
    at.child("config_discovery")
        .child("type_urls")
        .error(base::strCat("has several types, so that an update could take the filter away: ", refusal));
  }
  return refusal;
}

std::shared_ptr<const filter::ListenerFilterHolder> compileDiscoveredListenerFilter(const std::string& name,
                                                                                    const ExtensionConfigSource& proto,
                                                                                    const FactoryContext& context) {
  return discover<ListenerFilters>(name, proto, context);
}

std::shared_ptr<const filter::NetworkFilterHolder> compileDiscoveredNetworkFilter(const std::string& name,
                                                                                  const ExtensionConfigSource& proto,
                                                                                  const FactoryContext& context) {
  return discover<NetworkFilters>(name, proto, context);
}

}  // namespace sluice::config
