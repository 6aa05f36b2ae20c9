#include "source/extensions/filters/http/policy/factory.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "sluice/extensions/filters/http/policy/v1/policy.pb.h"
#include "source/base/text.h"
#include "source/config/http_filter_factory.h"
#include "source/config/rbac_compiler.h"
#include "source/extensions/filters/http/policy/filter.h"
#include "source/stream/metadata.h"

namespace sluice::extensions::http_filters::policy {
namespace {

namespace v1 = sluice::extensions::filters::http::policy::v1;
using config::Context;
using config::FactoryContext;
using envoy::config::rbac::v3::Principal;
using envoy::type::matcher::v3::ValueMatcher;
using Texts = google::protobuf::RepeatedPtrField<std::string>;

constexpr config::RbacPlace kPlace{"an HTTP filter", match::kRequestParts};

// --- who sends a request -> what RBAC asks of metadata ---

Principal identityHas(const std::vector<std::string_view>& path, ValueMatcher value) {
  Principal out;
  auto& matcher = *out.mutable_sourced_metadata()->mutable_metadata_matcher();
  matcher.set_filter(std::string(stream::kIdentityMetadata));
  for (const std::string_view name : path) matcher.add_path()->set_key(std::string(name));
  *matcher.mutable_value() = std::move(value);
  return out;
}

ValueMatcher isThere() {
  ValueMatcher out;
  out.set_present_match(true);
  return out;
}

ValueMatcher isText(const std::string& text) {
  ValueMatcher out;
  out.mutable_string_match()->set_exact(text);
  return out;
}

// A whole number that a double holds exactly; nullopt: the text is none.
std::optional<double> wholeNumber(const std::string& text) {
  constexpr int64_t kMost = int64_t{1} << 53;
  int64_t out = 0;
  if (!absl::SimpleAtoi(text, &out) || out < -kMost || out > kMost || std::to_string(out) != text) return std::nullopt;
  return static_cast<double>(out);
}

// What a claim may be that is said to be `text`.
std::vector<ValueMatcher> meantBy(const std::string& text) {
  std::vector<ValueMatcher> out{isText(text)};
  if (text == "true" || text == "false") out.emplace_back().set_bool_match(text == "true");
  if (const auto number = wholeNumber(text)) out.emplace_back().mutable_double_match()->set_exact(*number);
  return out;
}

ValueMatcher isListWith(ValueMatcher value) {
  ValueMatcher out;
  *out.mutable_list_match()->mutable_one_of() = std::move(value);
  return out;
}

ValueMatcher isOneOf(std::vector<ValueMatcher> values) {
  if (values.size() == 1) return std::move(values[0]);
  ValueMatcher out;
  for (ValueMatcher& value : values) *out.mutable_or_match()->add_value_matchers() = std::move(value);
  return out;
}

Principal authenticated() {
  Principal out;
  *out.mutable_and_ids()->add_ids() = identityHas({"method"}, isThere());
  *out.mutable_and_ids()->add_ids()->mutable_not_id() = identityHas({"method"}, isText("anonymous"));
  return out;
}

Principal isConsumer(const Texts& names) {
  std::vector<ValueMatcher> values;
  for (const std::string& name : names) values.push_back(isText(name));
  return identityHas({"consumer"}, isOneOf(std::move(values)));
}

Principal isInGroup(const Texts& names) {
  std::vector<ValueMatcher> values;
  for (const std::string& name : names) values.push_back(isListWith(isText(name)));
  return identityHas({"groups"}, isOneOf(std::move(values)));
}

Principal hasClaim(const v1::Claim& proto) {
  std::vector<std::string_view> path{"claims"};
  path.insert(path.end(), proto.path().begin(), proto.path().end());
  std::vector<ValueMatcher> values;
  for (const std::string& value : proto.values()) {
    for (ValueMatcher& meant : meantBy(value)) {
      values.push_back(isListWith(meant));
      values.push_back(std::move(meant));
    }
  }
  if (values.empty()) values.push_back(isThere());
  return identityHas(path, isOneOf(std::move(values)));
}

filter::rbac::Policy compileCondition(const v1::Condition& proto, const Context& at, uint8_t& needs) {
  std::vector<Principal> also;
  if (proto.authenticated()) also.push_back(authenticated());
  if (!proto.groups().empty()) also.push_back(isInGroup(proto.groups()));
  if (!proto.consumers().empty()) also.push_back(isConsumer(proto.consumers()));
  for (const v1::Claim& claim : proto.claims()) also.push_back(hasClaim(claim));
  const config::RbacCondition condition{.permissions = proto.permissions(),
                                        .principals = proto.principals(),
                                        .also = also,
                                        .expression = proto.expression()};
  return config::compileRbacCondition(condition, kPlace, at, needs);
}

// --- rules ---

bool isRuleName(std::string_view name) {
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.'; });
}

// Compiles the rules of one level. `context` stands at the PolicySet.
class SetCompiler {
 public:
  SetCompiler(const v1::PolicySet& proto, Origin origin, const FactoryContext& context)
      : proto_(proto), context_(context) {
    out_.origin = std::move(origin);
  }

  PolicySet compile() {
    std::set<std::string_view> names;
    for (int i = 0; i < proto_.rules_size(); ++i) {
      const Context at = context_.at.child("rules", static_cast<size_t>(i));
      const std::string& name = proto_.rules(i).name();
      checkName(name, at.child("name"));
      if (!names.insert(name).second) {
        at.child("name").error(base::strCat("\"", name, "\" is that of another rule here, too; give each its own"));
      }
      out_.rules.push_back(rule(proto_.rules(i), at));
    }
    if (proto_.default_action() == v1::PolicySet::DENY) {
      const Context at = context_.at.child("default_action");
      out_.by_default = named(std::string(kDefaultRule), at);
      out_.by_default->effect = Rule::Effect::kDefault;
      out_.by_default->may_relax = proto_.default_may_relax();
    } else if (proto_.default_may_relax()) {
      context_.at.child("default_may_relax").error("needs default_action: DENY, which it lets others do without");
    }
    out_.relaxes.assign(proto_.relax().begin(), proto_.relax().end());
    return std::move(out_);
  }

 private:
  static void checkName(std::string_view name, const Context& at) {
    if (name == kDefaultRule) at.error("is the name of the rule that default_action stands for; choose another");
    if (!isRuleName(name)) at.error("stands in logs and stats; use letters, digits, '_', '-' and '.' only");
  }

  Rule named(std::string name, const Context& at) const {
    Rule out;
    out.place = absl::StrCat(name, "@", out_.origin.level);
    out.path = at.path();
    if (proto_.track_per_rule_stats()) {
      const std::string prefix = absl::StrCat(context_.owner, "policy.", out_.origin.level, ".", name, ".");
      out.counts = {context_.stats->counter(prefix + "denied"), context_.stats->counter(prefix + "reported")};
    }
    out.name = std::move(name);
    return out;
  }

  Rule rule(const v1::Rule& proto, const Context& at) {
    Rule out = named(proto.name(), at);
    if (proto.has_when()) out.when = compileCondition(proto.when(), at.child("when"), out_.needs);
    if (proto.has_deny()) {
      out.effect = Rule::Effect::kDeny;
      out.what = compileCondition(proto.deny(), at.child("deny"), out_.needs);
    } else {
      out.what = compileCondition(proto.require(), at.child("require"), out_.needs);
    }
    out.may_relax = proto.may_relax();
    out.report_only = proto.report_only();
    if (proto.status() != 0) out.status = static_cast<uint16_t>(proto.status());
    out.message = proto.message();
    out.note = proto.details();
    return out;
  }

  const v1::PolicySet& proto_;
  const FactoryContext& context_;
  PolicySet out_;
};

Origin originOf(const route::SettingsLevel& level) {
  switch (level.kind) {
    case route::SettingsLevel::Kind::kVirtualHost:
      return {"virtual_host", level.name};
    case route::SettingsLevel::Kind::kRoute:
      return {"route", level.name};
    case route::SettingsLevel::Kind::kCluster:
      return {"cluster", level.name};
    default:
      return {"table", level.name};
  }
}

// --- what stands above ---

// Of a name in `relax` of the last set. `knows_filter`: whether the first one is what the filter has.
void checkRelaxation(const std::string& name, const PolicyLevels& levels, bool knows_filter, const Context& at) {
  bool found = false;
  const auto check = [&](const Rule& rule, size_t level) {
    if (rule.name != name) return;
    found = true;
    if (rule.may_relax) return;
    const Origin& origin = levels[level].origin;
    at.error(base::strCat("\"", name, "\" of the ", origin.level, origin.resource.empty() ? "" : " '", origin.resource,
                          origin.resource.empty() ? "" : "'",
                          " holds for all below it; remove it here, or set may_relax there"));
  };
  for (size_t level = 0; level + 1 < levels.size(); ++level) {
    for (const Rule& rule : levels[level].rules) check(rule, level);
    if (levels[level].by_default) check(*levels[level].by_default, level);
  }
  if (found || !knows_filter) return;
  at.error(base::strCat("\"", name, "\" is no rule of a level above; correct the name, or remove it"));
}

const Settings* settingsOf(const filter::HttpFilterFactory* filter) {
  const auto* const made = dynamic_cast<const FilterFactory*>(filter);
  return made == nullptr ? nullptr : &made->settings();
}

class Factory : public config::RoutedHttpFilterOf<v1::Policy, v1::PolicySet> {
 public:
  config::HttpFilterPtr makeFilter(const v1::Policy& proto, const FactoryContext& context) const override {
    const auto counter = [&](const char* name) {
      return context.stats->counter(absl::StrCat(context.owner, "policy.", name));
    };
    const FactoryContext policies = context.child("policies");
    if (!proto.policies().relax().empty()) {
      policies.at.child("relax").error("names rules of levels above, and there is none above the filter; remove it");
    }
    Settings out;
    out.policies = SetCompiler(proto.policies(), {"filter", ""}, policies).compile();
    out.may_disable = proto.may_disable();
    out.allowed = counter("allowed");
    out.denied = counter("denied");
    out.reported = counter("reported");
    return std::make_shared<FilterFactory>(std::move(out));
  }

  config::RouteConfigPtr makeRouteConfig(const v1::PolicySet& proto, const FactoryContext& context) const override {
    return std::make_shared<RouteSettings>(SetCompiler(proto, originOf(context.route_level), context).compile());
  }

  std::string_view switchRefusal(const filter::HttpFilterFactory* filter) const override {
    const Settings* const settings = settingsOf(filter);
    if (settings != nullptr && settings->may_disable) return {};
    return "requests may not go round its rules unless it says may_disable";
  }

  void checkLevels(const route::PerFilterLevels& levels, const filter::HttpFilterFactory* filter,
                   const Context& at) const override {
    const Settings* const settings = settingsOf(filter);
    const PolicySet none;
    const PolicyLevels all(settings == nullptr ? none : settings->policies, levels);
    if (all.foreign()) return;  // told where it was compiled
    const std::vector<std::string>& relaxes = all[all.size() - 1].relaxes;
    for (size_t i = 0; i < relaxes.size(); ++i) {
      checkRelaxation(relaxes[i], all, settings != nullptr, at.child("relax", i));
    }
  }

  std::string explain(const filter::HttpFilterFactory& filter, const route::PerFilterLevels& levels) const override {
    const Settings* const settings = settingsOf(&filter);
    return settings == nullptr ? std::string() : PolicyLevels(settings->policies, levels).explain();
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::policy
