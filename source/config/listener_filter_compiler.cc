#include "source/config/listener_filter_compiler.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "source/config/any_type.h"
#include "source/config/filter_discovery.h"
#include "source/config/listener_filter_factory.h"
#include "source/config/registry.h"

namespace sluice::config {
namespace {

using Predicate = envoy::config::listener::v3::ListenerFilterChainMatchPredicate;
using listener::FilterPredicate;

// Nesting beyond this is nobody's intent; it would be recursion without end.
constexpr int kMaxDepth = 32;

FilterPredicate compilePredicate(const Predicate& proto, const Context& context, int depth) {
  FilterPredicate out{FilterPredicate::Rule::kAny};
  if (depth > kMaxDepth) {
    context.error("is nested more than 32 levels deep");
    return out;
  }
  auto children = [&](const Predicate::MatchSet& set, std::string_view field) {
    for (int i = 0; i < set.rules_size(); ++i) {
      out.children.push_back(compilePredicate(set.rules(i), context.child(field).child("rules", i), depth + 1));
    }
  };
  switch (proto.rule_case()) {
    case Predicate::kOrMatch:
      out.rule = FilterPredicate::Rule::kOr;
      children(proto.or_match(), "or_match");
      break;
    case Predicate::kAndMatch:
      out.rule = FilterPredicate::Rule::kAnd;
      children(proto.and_match(), "and_match");
      break;
    case Predicate::kNotMatch:
      out.rule = FilterPredicate::Rule::kNot;
      out.children.push_back(compilePredicate(proto.not_match(), context.child("not_match"), depth + 1));
      break;
    case Predicate::kDestinationPortRange:
      out.rule = FilterPredicate::Rule::kDestinationPort;
      out.first_port = static_cast<uint32_t>(std::max(0, proto.destination_port_range().start()));
      out.end_port = static_cast<uint32_t>(std::max(0, proto.destination_port_range().end()));
      if (out.first_port >= out.end_port) {
        context.child("destination_port_range").error("holds no port; end has to be larger than start");
      }
      break;
    default:
      if (!proto.any_match()) context.error("has no rule; write any_match: true or another one");
      break;
  }
  return out;
}

}  // namespace

listener::InstalledFilters compileListenerFilters(const envoy::config::listener::v3::Listener& listener,
                                                  const FactoryContext& context) {
  listener::InstalledFilters out;
  for (int i = 0; i < listener.listener_filters_size(); ++i) {
    const auto& proto = listener.listener_filters(i);
    const Context filter = context.at.child("listener_filters", i);
    listener::InstalledFilter installed;
    if (proto.has_config_discovery()) {
      FactoryContext discovered = context.moved(filter.child("config_discovery"));
      absl::StrAppend(&discovered.identity, "/discovered ", proto.name());
      installed.discovered = compileDiscoveredListenerFilter(proto.name(), proto.config_discovery(), discovered);
    } else {
      installed.filter = context.services.registry.listener_filters.compile(
          proto.typed_config(), context.moved(filter.child("typed_config")));
    }
    if (proto.has_filter_disabled()) {
      installed.disabled = std::make_shared<FilterPredicate>(
          compilePredicate(proto.filter_disabled(), filter.child("filter_disabled"), 0));
    }
    if (installed.filter || installed.discovered) out.push_back(std::move(installed));
  }
  return out;
}

bool findsServerNames(const envoy::config::listener::v3::Listener& listener, const Services& services) {
  const auto findsName = [&services](std::string_view type) {
    const auto* const factory = services.registry.listener_filters.find(type);
    return factory != nullptr && factory->findsServerName();
  };
  const auto& filters = listener.listener_filters();
  return std::any_of(filters.begin(), filters.end(), [&](const auto& filter) {
    if (!filter.has_config_discovery()) return findsName(describedType(filter.typed_config()));
    const auto& types = filter.config_discovery().type_urls();
    return std::any_of(types.begin(), types.end(), [&](const auto& type) { return findsName(discoveredType(type)); });
  });
}

}  // namespace sluice::config
