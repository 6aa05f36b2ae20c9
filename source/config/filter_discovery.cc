#include "source/config/filter_discovery.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "source/config/any_type.h"
#include "source/config/config_source.h"
#include "source/config/extension_configs.h"
#include "source/config/holding.h"
#include "source/config/http_filter_factory.h"
#include "source/config/registry.h"
#include "source/filter/discovered_filter.h"

namespace sluice::config {
namespace {

using envoy::config::core::v3::ExtensionConfigSource;
using filter::FilterHolder;
using FactoryPtr = std::shared_ptr<const filter::HttpFilterFactory>;

// Gives the versions of a configuration to the filters of a chain, for as long as there is the chain.
class User final : public ExtensionUser {
 public:
  User(const FactoryContext& context, std::vector<std::string> types)
      : services_(context.services), owner_(context.owner), identity_(context.identity), types_(std::move(types)) {}

  void serve(const std::shared_ptr<FilterHolder>& holder, FactoryPtr by_default, InitTarget wait) {
    holder_ = holder;
    default_ = std::move(by_default);
    wait_ = std::move(wait);
  }
  // What a configuration makes; null after an error. Its stats live as long as it.
  FactoryPtr compile(const google::protobuf::Any& typed_config, const Context& context) const {
    const std::string type = describedType(typed_config);
    if (std::find(types_.begin(), types_.end(), type) == types_.end()) {
      context.error(absl::StrCat("is a ", type, "; type_urls allows ", absl::StrJoin(types_, ", ")));
      return nullptr;
    }
    const auto match = services_.registry.http_filters.resolve(typed_config, context);
    if (!match) return nullptr;
    Holding holding(services_);
    return holding.tie(match.factory->compile(*match.config, holding.context(context, owner_, identity_)));
  }

  bool alive() const override { return !holder_.expired(); }
  std::function<void()> prepare(const google::protobuf::Any& typed_config, const Context& context) override {
    FactoryPtr factory = compile(typed_config, context);
    if (factory == nullptr) return {};
    return [this, factory = std::move(factory)] { set(factory); };
  }
  void removed() override { set(default_); }
  void givenUp() override { wait_.ready(); }

 private:
  void set(const FactoryPtr& factory) {
    if (const std::shared_ptr<FilterHolder> holder = holder_.lock()) holder->set(factory);
    wait_.ready();
  }

  Services& services_;
  const std::string owner_, identity_;
  const std::vector<std::string> types_;  // full names
  std::weak_ptr<FilterHolder> holder_;
  FactoryPtr default_;  // null: none
  InitTarget wait_;
};

// The full names; those that are no HTTP filters are reported.
std::vector<std::string> compileTypes(const ExtensionConfigSource& proto, const FactoryContext& context) {
  std::vector<std::string> out;
  for (int i = 0; i < proto.type_urls_size(); ++i) {
    const std::string_view url = proto.type_urls(i);
    const std::string name(url.find('/') == std::string_view::npos ? url : typeNameOf(url));
    if (context.services.registry.http_filters.find(name) == nullptr) {
      context.at.child("type_urls", static_cast<size_t>(i))
          .error(absl::StrCat(name, " does not configure an HTTP filter that can be discovered here"));
    }
    out.push_back(name);
  }
  return out;
}

}  // namespace

DiscoveredHttpFilter compileDiscoveredFilter(const std::string& name, const ExtensionConfigSource& proto,
                                             const FactoryContext& context) {
  const ErrorMark mark(context.at);
  Services& services = context.services;
  const Context source = context.at.child("config_source");
  compileConfigSource(proto.config_source(), source);
  const auto user = std::make_shared<User>(context, compileTypes(proto, context));
  FactoryPtr by_default;
  if (proto.has_default_config()) {
    by_default = user->compile(proto.default_config(), context.at.child("default_config"));
  } else if (proto.apply_default_config_without_warming()) {
    context.at.child("apply_default_config_without_warming").error("needs a default_config");
  }
  if (mark.hit()) return {};
  ExtensionConfigs* const configs = services.extension_configs;
  std::function<void()> ended = configs == nullptr ? std::function<void()>() : configs->userEnded();
  const std::shared_ptr<FilterHolder> holder(new FilterHolder(services.local_slots, by_default),
                                             [ended](FilterHolder* gone) {
                                               delete gone;
                                               if (ended) ended();
                                             });
  const bool waits = configs != nullptr && !proto.apply_default_config_without_warming();
  user->serve(holder, std::move(by_default),
              waits ? context.waitFor(absl::StrCat("configuration of filter '", name, "'")) : InitTarget());
  if (configs != nullptr) configs->follow(user, name, proto.config_source(), source);
  if (mark.hit()) return {};
  return {std::make_shared<filter::DiscoveredFilterFactory>(holder),
          services.registry.http_filters.find(proto.type_urls(0).substr(proto.type_urls(0).rfind('/') + 1))};
}

}  // namespace sluice::config
