#include "source/extensions/filters/http/jwt_authn/factory.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/filters/http/jwt_authn/v3/config.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_match.h"
#include "source/config/route_texts.h"
#include "source/extensions/filters/http/jwt_authn/factory_provider.h"
#include "source/extensions/filters/http/jwt_authn/filter.h"

namespace sluice::extensions::http_filters::jwt_authn {
namespace {

namespace v3 = envoy::extensions::filters::http::jwt_authn::v3;
using config::Context;
using config::FactoryContext;
using Kind = Requirement::Kind;
using Providers = std::map<std::string, const Provider*, std::less<>>;

constexpr const char* kVerificationHeader = "x-jwt-signature-verified";

// Requirements of one filter.
class RequirementCompiler {
 public:
  RequirementCompiler(const Providers& providers, filter::SpoofedNames& spoofed)
      : providers_(providers), all_(listed(providers)), spoofed_(spoofed) {}

  Requirement compile(const v3::JwtRequirement& proto, const Context& at) { return compile(proto, at, all_); }

 private:
  using List = std::vector<const Provider*>;

  static List listed(const Providers& providers) {
    List out;
    for (const auto& [name, provider] : providers) out.push_back(provider);
    return out;
  }

  // `others`: whose tokens count where a requirement names nobody.
  Requirement compile(const v3::JwtRequirement& proto, const Context& at, const List& others) {
    switch (proto.requires_type_case()) {
      case v3::JwtRequirement::kProviderName:
        return ofProvider(proto.provider_name(), at.child("provider_name"));
      case v3::JwtRequirement::kProviderAndAudiences:
        return withAudiences(proto.provider_and_audiences(), at.child("provider_and_audiences"));
      case v3::JwtRequirement::kRequiresAny:
        return any(proto.requires_any(), at.child("requires_any"));
      case v3::JwtRequirement::kRequiresAll:
        return parts(Kind::kAll, proto.requires_all().requirements(), at.child("requires_all"), all_);
      case v3::JwtRequirement::kAllowMissing:
        return {.kind = Kind::kAllowMissing, .places = placesOf(others)};
      case v3::JwtRequirement::kAllowMissingOrFailed:
        return {.kind = Kind::kAllowFailed, .places = placesOf(others)};
      case v3::JwtRequirement::kExtractOnlyWithoutValidation:
        return extract(proto.extract_only_without_validation(), at.child("extract_only_without_validation"));
      case v3::JwtRequirement::REQUIRES_TYPE_NOT_SET:
        break;
    }
    return {};
  }

  Requirement ofProvider(const std::string& name, const Context& at) const {
    const auto known = providers_.find(name);
    if (known == providers_.end()) {
      at.error(absl::StrCat("no provider is called '", name, "'; define it under `providers` or correct the name"));
      return {};
    }
    return {.kind = Kind::kProvider, .provider = known->second};
  }

  Requirement withAudiences(const v3::ProviderWithAudiences& proto, const Context& at) const {
    Requirement out = ofProvider(proto.provider_name(), at.child("provider_name"));
    for (const std::string& audience : proto.audiences()) out.audiences.push_back(simplifiedAudience(audience));
    return out;
  }

  template <typename Protos>
  Requirement parts(Kind kind, const Protos& protos, const Context& at, const List& others) {
    Requirement out{.kind = kind};
    for (int i = 0; i < protos.size(); ++i) {
      const Context at_part = at.child("requirements", static_cast<size_t>(i));
      if (protos[i].requires_type_case() == v3::JwtRequirement::REQUIRES_TYPE_NOT_SET) {
        at_part.error("says nothing, which every request meets; name a provider, or write allow_missing");
      }
      out.parts.push_back(compile(protos[i], at_part, others));
    }
    return out;
  }

  Requirement any(const v3::JwtRequirementOrList& proto, const Context& at) {
    List named;
    for (const v3::JwtRequirement& part : proto.requirements()) collect(part, named);
    Requirement out = parts(Kind::kAny, proto.requirements(), at, named.empty() ? all_ : named);
    // What needs no token is the last resort, and what takes bad ones comes behind that.
    const auto rank = [](const Requirement& part) {
      return part.kind == Kind::kAllowMissing ? 1 : part.kind == Kind::kAllowFailed ? 2 : 0;
    };
    std::stable_sort(out.parts.begin(), out.parts.end(),
                     [&](const Requirement& a, const Requirement& b) { return rank(a) < rank(b); });
    return out;
  }

  // The providers that a requirement names, wherever in it.
  void collect(const v3::JwtRequirement& proto, List& out) const {
    const auto add = [&](const std::string& name) {
      const auto known = providers_.find(name);
      if (known != providers_.end() && std::find(out.begin(), out.end(), known->second) == out.end()) {
        out.push_back(known->second);
      }
    };
    if (proto.has_provider_and_audiences()) add(proto.provider_and_audiences().provider_name());
    if (proto.requires_type_case() == v3::JwtRequirement::kProviderName) add(proto.provider_name());
    for (const v3::JwtRequirement& part : proto.requires_any().requirements()) collect(part, out);
    for (const v3::JwtRequirement& part : proto.requires_all().requirements()) collect(part, out);
  }

  Requirement extract(const v3::ExtractOnlyWithoutValidation& proto, const Context& at) {
    Requirement out{.kind = Kind::kExtractOnly, .places = placesOf(all_)};
    const std::string& name = proto.verification_status_header();
    out.status_header =
        name.empty() ? kVerificationHeader : config::compileHeaderName(name, at.child("verification_status_header"));
    spoofed_.add(out.status_header);
    return out;
  }

  static std::vector<Place> placesOf(const List& providers) {
    std::vector<Place> out;
    for (const Provider* provider : providers) {
      for (const Location& location : provider->locations) {
        auto place = std::find_if(out.begin(), out.end(), [&](const Place& p) { return p.location == location; });
        if (place == out.end()) place = out.insert(out.end(), Place{location, {}});
        if (place->providers.empty() || place->providers.back() != provider) place->providers.push_back(provider);
      }
    }
    return out;
  }

  const Providers& providers_;
  const List all_;
  filter::SpoofedNames& spoofed_;
};

Providers compileProviders(const v3::JwtAuthentication& proto, const std::string& stats, const FactoryContext& context,
                           Settings& out) {
  Providers named;
  const std::map<std::string, const v3::JwtProvider*> sorted = [&] {
    std::map<std::string, const v3::JwtProvider*> items;
    for (const auto& [name, provider] : proto.providers()) items.emplace(name, &provider);
    return items;
  }();
  for (const auto& [name, provider] : sorted) {
    auto compiled = compileProvider(*provider, stats, context.moved(context.at.entry("providers", name)));
    compiled->name = name;
    compiled->index = out.providers.size();
    if (!compiled->payload_header.empty()) out.spoofed.add(compiled->payload_header);
    for (const ClaimHeader& header : compiled->claim_headers) out.spoofed.add(header.name);
    named.emplace(name, compiled.get());
    out.providers.push_back(std::move(compiled));
  }
  return named;
}

// What is removed from requests may not be where their tokens are.
void checkLocations(const Settings& settings, const Context& at) {
  for (const auto& provider : settings.providers) {
    for (const Location& location : provider->locations) {
      if (location.kind == Location::Kind::kHeader && settings.spoofed.holds(location.name)) {
        at.entry("providers", provider->name)
            .error(
                absl::StrCat("has its tokens in the header \"", location.name,
                             "\", which is removed from requests because claims are written there; use another one"));
      }
    }
  }
}

void compileRules(const v3::JwtAuthentication& proto, const FactoryContext& context, RequirementCompiler& compiler,
                  Settings& out) {
  config::Regexes regexes;
  std::vector<route::RouteSpec> specs;
  for (int i = 0; i < proto.rules_size(); ++i) {
    const v3::RequirementRule& rule = proto.rules(i);
    const Context at = context.at.child("rules", static_cast<size_t>(i));
    envoy::config::route::v3::Route route;
    *route.mutable_match() = rule.match();
    config::compileRouteMatch(route, at, regexes, context.services.runtime.get(), specs.emplace_back());
    const Requirement* requirement = nullptr;
    if (rule.requirement_type_case() == v3::RequirementRule::kRequirementName) {
      const auto known = out.named.find(rule.requirement_name());
      if (known != out.named.end()) {
        requirement = &known->second;
      } else {
        at.child("requirement_name")
            .error(absl::StrCat("no requirement is called '", rule.requirement_name(), "'; there are [",
                                out.known_names, "] in requirement_map"));
      }
    } else if (rule.has_requires()) {
      out.own.push_back(std::make_unique<const Requirement>(compiler.compile(rule.requires_(), at.child("requires"))));
      requirement = out.own.back().get();
    }
    out.of_rules.push_back(requirement);
  }
  // Specs after an error may lack what they point to.
  if (context.at.errors().empty()) out.rules = Rules(std::move(specs));
}

class Factory : public config::RoutedHttpFilterOf<v3::JwtAuthentication, v3::PerRouteConfig> {
 public:
  // A warning, as with RDS: those requests are refused, as Envoy does.
  void checkRoute(const route::PerFilterConfig& settings, const filter::HttpFilterFactory& filter,
                  const Context& at) const override {
    const auto* const route = route::settingsAs<route::RouteSettings<RouteRequirement>>(&settings);
    const Settings& own = static_cast<const FilterFactory&>(filter).settings();
    if (route == nullptr || route->value.name.empty() || own.named.contains(route->value.name)) return;
    at.child("requirement_name")
        .warn(absl::StrCat("no requirement is called '", route->value.name, "', so these requests get 403; there are [",
                           own.known_names, "] in requirement_map"));
  }

  config::HttpFilterPtr makeFilter(const v3::JwtAuthentication& proto, const FactoryContext& context) const override {
    const std::string prefix =
        absl::StrCat(context.owner, "jwt_authn.", proto.stat_prefix(), proto.stat_prefix().empty() ? "" : ".");
    const auto counter = [&](const char* name) { return context.stats->counter(prefix + name); };
    Settings out;
    out.stats = {counter("allowed"), counter("denied"), counter("cors_preflight_bypassed"), counter("jwt_cache_hit"),
                 counter("jwt_cache_miss")};
    const Providers providers = compileProviders(proto, prefix, context, out);
    RequirementCompiler compiler(providers, out.spoofed);
    for (const auto& [name, requirement] : proto.requirement_map()) {
      out.named.emplace(name, compiler.compile(requirement, context.at.entry("requirement_map", name)));
    }
    out.known_names = absl::StrJoin(out.named, ",", [](std::string* text, const auto& item) { *text += item.first; });
    compileRules(proto, context, compiler, out);
    out.filter_state = proto.filter_state_rules().name();
    const Context of_state = context.at.child("filter_state_rules");
    for (const auto& [text, requirement] : proto.filter_state_rules().requires_()) {
      out.of_filter_state.emplace(text, compiler.compile(requirement, of_state.entry("requires", text)));
    }
    out.bypass_preflight = proto.bypass_cors_preflight();
    out.strip_failures = proto.strip_failure_response();
    checkLocations(out, context.at);
    out.caches = makeCaches(out, context.services.local_slots);
    return std::make_shared<FilterFactory>(std::move(out));
  }

  config::RouteConfigPtr makeRouteConfig(const v3::PerRouteConfig& proto, const FactoryContext&) const override {
    return std::make_shared<route::RouteSettings<RouteRequirement>>(
        RouteRequirement{proto.disabled() ? std::string() : proto.requirement_name()});
  }

 private:
  static std::unique_ptr<const worker::WorkerLocal<TokenCaches>> makeCaches(const Settings& settings,
                                                                            const worker::LocalSlots& slots) {
    std::vector<size_t> sizes;
    for (const auto& provider : settings.providers) sizes.push_back(provider->cache_size);
    return std::make_unique<const worker::WorkerLocal<TokenCaches>>(slots, [sizes](worker::WorkerServices&) {
      auto out = std::make_unique<TokenCaches>();
      for (const size_t size : sizes) out->of.push_back(std::make_unique<TokenCache>(size));
      return out;
    });
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::jwt_authn
