#include "source/extensions/filters/http/bot_detection/factory.h"

#include <memory>
#include <string>
#include <vector>

#include "sluice/extensions/filters/http/bot_detection/v1/bot_detection.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_texts.h"
#include "source/config/runtime_compiler.h"
#include "source/extensions/filters/http/bot_detection/filter.h"

namespace sluice::extensions::http_filters::bot_detection {
namespace {

using Proto = ::sluice::extensions::filters::http::bot_detection::v1::BotDetection;
using StringMatchers = google::protobuf::RepeatedPtrField<envoy::type::matcher::v3::StringMatcher>;

std::vector<match::StringMatcher> compileList(const StringMatchers& list, const char* field,
                                              const config::Context& context, config::Regexes& regexes) {
  std::vector<match::StringMatcher> out;
  for (int i = 0; i < list.size(); ++i) {
    out.push_back(regexes.stringMatcher(list[i], context.child(field, static_cast<size_t>(i))));
  }
  return out;
}

Rules compileRules(const Proto& proto, const config::FactoryContext& context) {
  config::Regexes regexes;
  Rules out;
  out.allow = compileList(proto.allow(), "allow", context.at, regexes);
  out.deny = compileList(proto.deny(), "deny", context.at, regexes);
  out.deny_known_bots = !proto.has_deny_known_bots() || proto.deny_known_bots().value();
  out.deny_missing = proto.deny_missing_user_agent();
  if (proto.has_status()) out.status = static_cast<uint16_t>(proto.status().value());
  if (proto.has_filter_enforced()) {
    out.enforced = config::compileFraction(proto.filter_enforced(), context.services.runtime.get());
  }
  return out;
}

class Factory : public config::RoutedHttpFilterOf<Proto> {
 public:
  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    const auto counter = [&](const char* name) {
      return context.stats->counter(context.owner + "bot_detection." + name);
    };
    return std::make_shared<FilterFactory>(
        Settings{compileRules(proto, context), counter("allowed"), counter("denied"), counter("shadow_denied")});
  }

  config::RouteConfigPtr makeRouteConfig(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<RouteSettings>(compileRules(proto, context));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::bot_detection
