#include "source/config/matcher_compiler.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/base/ascii.h"
#include "source/base/text.h"
#include "source/config/any_type.h"
#include "source/config/match_input_factory.h"
#include "source/config/registry.h"
#include "source/config/route_texts.h"
#include "source/config/value_matcher_factory.h"
#include "source/config/values.h"
#include "xds/type/matcher/v3/domain.pb.h"
#include "xds/type/matcher/v3/ip.pb.h"
#include "xds/type/matcher/v3/range.pb.h"

namespace sluice::config {
namespace {

using match::Matcher;
using Proto = xds::type::matcher::v3::Matcher;
using PredicateProto = Proto::MatcherList::Predicate;
namespace v3 = xds::type::matcher::v3;

class MatcherCompiler {
 public:
  MatcherCompiler(const MatchPlace& place, const FactoryContext& factories) : place_(place), factories_(factories) {}

  std::shared_ptr<const Matcher> matcher(const Proto& proto, const Context& context) {
    if (!enter(context)) return nullptr;
    auto out = std::make_shared<Matcher>();
    switch (proto.matcher_type_case()) {
      case Proto::kMatcherList:
        out->how = list(proto.matcher_list(), context.child("matcher_list"));
        break;
      case Proto::kMatcherTree:
        tree(proto.matcher_tree(), context.child("matcher_tree"), *out);
        break;
      case Proto::MATCHER_TYPE_NOT_SET:
        if (!proto.has_on_no_match()) context.error("is empty; set matcher_list, matcher_tree or on_no_match");
    }
    if (proto.has_on_no_match()) out->on_no_match = onMatch(proto.on_no_match(), context.child("on_no_match"));
    --depth_;
    if (depth_ == 0) out->needs = needs_;
    return out;
  }

 private:
  // Counts a level that begins; `depth_` is to be lowered after it.
  bool enter(const Context& context) {
    if (depth_ == Matcher::kMaxDepth) {
      context.error(absl::StrCat("is nested more than ", Matcher::kMaxDepth, " levels deep; make the matcher flatter"));
      return false;
    }
    ++depth_;
    return true;
  }

  // Counts an entry. Reports the first that is too many.
  bool count(const Context& context) {
    if (++entries_ == Matcher::kMaxEntries + 1) {
      context.error(absl::StrCat("is one entry too many: a matcher may have ", Matcher::kMaxEntries));
    }
    return entries_ <= Matcher::kMaxEntries;
  }

  match::OnMatch onMatch(const Proto::OnMatch& proto, const Context& context) {
    match::OnMatch out;
    out.keep_matching = proto.keep_matching();
    if (proto.keep_matching() && !place_.keeps_matching) {
      context.child("keep_matching")
          .error(
              absl::StrCat("has no meaning in ", base::toAbsl(place_.name), ", where one action is taken; remove it"));
    }
    if (proto.has_matcher()) {
      out.matcher = matcher(proto.matcher(), context.child("matcher"));
    } else if (proto.has_action()) {
      const auto action = place_.action(proto.action().typed_config(), context.child("action").child("typed_config"));
      out.action = action.value_or(0);
    } else {
      context.error("says nothing; set action or matcher");
    }
    return out;
  }

  match::MatchList list(const Proto::MatcherList& proto, const Context& context) {
    match::MatchList out;
    for (int i = 0; i < proto.matchers_size(); ++i) {
      const Context at = context.child("matchers", static_cast<size_t>(i));
      if (!count(at)) break;
      match::Conditional& entry = out.entries.emplace_back();
      predicate(proto.matchers(i).predicate(), at.child("predicate"), entry.predicate);
      entry.on_match = onMatch(proto.matchers(i).on_match(), at.child("on_match"));
    }
    return out;
  }

  // --- predicates ----------------------------------------------------------------------------------------------------

  void predicate(const PredicateProto& proto, const Context& context, match::Predicate& out) {
    using Kind = match::Predicate::Kind;
    if (!enter(context)) return;
    switch (proto.match_type_case()) {
      case PredicateProto::kSinglePredicate:
        single(proto.single_predicate(), context.child("single_predicate"), out);
        checkPair(out, proto.single_predicate().has_custom_match(), context.child("single_predicate"));
        break;
      case PredicateProto::kOrMatcher:
        parts(proto.or_matcher(), context.child("or_matcher"), Kind::kSome, out);
        break;
      case PredicateProto::kAndMatcher:
        parts(proto.and_matcher(), context.child("and_matcher"), Kind::kAll, out);
        break;
      case PredicateProto::kNotMatcher:
        out.kind = Kind::kNot;
        predicate(proto.not_matcher(), context.child("not_matcher"), out.parts.emplace_back());
        break;
      case PredicateProto::MATCH_TYPE_NOT_SET:
        context.error("says nothing; set single_predicate, or_matcher, and_matcher or not_matcher");
    }
    --depth_;
  }

  void parts(const PredicateProto::PredicateList& proto, const Context& context, match::Predicate::Kind kind,
             match::Predicate& out) {
    out.kind = kind;
    for (int i = 0; i < proto.predicate_size(); ++i) {
      const Context at = context.child("predicate", static_cast<size_t>(i));
      if (!count(at)) return;
      predicate(proto.predicate(i), at, out.parts.emplace_back());
    }
  }

  void single(const PredicateProto::SinglePredicate& proto, const Context& context, match::Predicate& out) {
    out.input = input(proto.input(), context.child("input"));
    if (proto.has_value_match()) {
      out.text = regexes_.stringMatcher(proto.value_match(), context.child("value_match"));
    } else if (proto.has_custom_match()) {
      const Context at = context.child("custom_match").child("typed_config");
      const auto found = factories_.services.registry.value_matchers.resolve(proto.custom_match().typed_config(), at);
      if (found) out.custom = found.factory->compile(*found.config, factories_.moved(at));
      if (out.custom == nullptr) return;
      need(out.custom->needs(), found.config->GetTypeName(), at);
      if (out.custom->wantsStructured() && out.input != nullptr && !out.input->isStructured()) {
        at.error(absl::StrCat(found.config->GetTypeName(), " compares values of metadata, which the input of this ",
                              "predicate does not give; use DynamicMetadataInput, or value_match"));
      }
    } else {
      context.error("says nothing of the value; set value_match or custom_match");
    }
  }

  // An expression and all that there is go together; neither has a meaning beside a value.
  static void checkPair(const match::Predicate& single, bool has_custom, const Context& context) {
    if (single.input == nullptr || (has_custom && single.custom == nullptr)) return;  // wrong by themselves
    const bool wants = single.custom != nullptr && single.custom->wantsEverything();
    if (wants && !single.input->isEverything()) {
      context.child("input").error("is one value; an expression takes xds.type.matcher.v3.HttpAttributesCelMatchInput");
    } else if (!wants && single.input->isEverything()) {
      context.child("input").error("stands for no value; set custom_match to an xds.type.matcher.v3.CelMatcher");
    }
  }

  std::shared_ptr<const match::Input> input(const xds::core::v3::TypedExtensionConfig& proto, const Context& context) {
    const Context at = context.child("typed_config");
    std::shared_ptr<const match::Input> out = compileMatchInput(proto.typed_config(), factories_.moved(at));
    if (out != nullptr) need(out->needs(), describedType(proto.typed_config()), at);
    return out;
  }

  // Notes what something of a type looks at, and refuses it where that is not there.
  void need(uint8_t parts, const std::string& type, const Context& context) {
    needs_ |= parts;
    if ((parts & ~place_.parts) == 0) return;
    context.error(absl::StrCat(type, " looks at what ", base::toAbsl(place_.name), " does not have"));
  }

  // --- look-ups ------------------------------------------------------------------------------------------------------

  void tree(const Proto::MatcherTree& proto, const Context& context, Matcher& out) {
    auto looked_up = input(proto.input(), context.child("input"));
    if (looked_up != nullptr && looked_up->isEverything()) {
      context.child("input").error("stands for no value, so nothing can be looked up by it; use a matcher_list");
    }
    switch (proto.tree_type_case()) {
      case Proto::MatcherTree::kExactMatchMap: {
        match::ExactMap map{std::move(looked_up), {}};
        for (auto& [key, on_match] : entries(proto.exact_match_map(), context.child("exact_match_map"))) {
          map.entries.emplace(std::move(key), std::move(on_match));
        }
        out.how = std::move(map);
        break;
      }
      case Proto::MatcherTree::kPrefixMatchMap:
        out.how = match::PrefixMap(std::move(looked_up),
                                   entries(proto.prefix_match_map(), context.child("prefix_match_map")));
        break;
      case Proto::MatcherTree::kCustomMatch:
        table(proto.custom_match().typed_config(), context.child("custom_match").child("typed_config"),
              std::move(looked_up), out);
        break;
      case Proto::MatcherTree::TREE_TYPE_NOT_SET:
        context.error("says nothing of the value; set exact_match_map, prefix_match_map or custom_match");
    }
  }

  std::vector<std::pair<std::string, match::OnMatch>> entries(const Proto::MatcherTree::MatchMap& proto,
                                                              const Context& context) {
    std::vector<std::pair<std::string, match::OnMatch>> out;
    for (const auto& [key, on_match] : proto.map()) {
      const Context at = context.entry("map", key);
      if (!count(at)) break;
      out.emplace_back(key, onMatch(on_match, at));
    }
    return out;
  }

  // Tables that are messages of their own.
  void table(const google::protobuf::Any& config, const Context& context, std::shared_ptr<const match::Input> input,
             Matcher& out) {
    const auto message = unpackAny(config, context);
    if (message == nullptr) return;
    if (const auto* ip = dynamic_cast<const v3::IPMatcher*>(message.get())) {
      out.how = ranges(*ip, context, std::move(input));
    } else if (const auto* domain = dynamic_cast<const v3::ServerNameMatcher*>(message.get())) {
      out.how = domains(*domain, context, std::move(input));
    } else if (const auto* int64 = dynamic_cast<const v3::Int64RangeMatcher*>(message.get())) {
      out.how = numbers<int64_t>(*int64, context, std::move(input));
    } else if (const auto* int32 = dynamic_cast<const v3::Int32RangeMatcher*>(message.get())) {
      out.how = numbers<int64_t>(*int32, context, std::move(input));
    } else if (const auto* real = dynamic_cast<const v3::DoubleRangeMatcher*>(message.get())) {
      out.how = numbers<double>(*real, context, std::move(input));
    } else {
      context.error(absl::StrCat(message->GetTypeName(), " is no table that is supported here; there are ",
                                 v3::IPMatcher::descriptor()->full_name(),
                                 " and ServerNameMatcher, Int32RangeMatcher, ",
                                 "Int64RangeMatcher and DoubleRangeMatcher of the same package"));
    }
  }

  match::RangeMap ranges(const v3::IPMatcher& proto, const Context& context,
                         std::shared_ptr<const match::Input> input) {
    match::RangeMap out;
    out.input = std::move(input);
    for (int i = 0; i < proto.range_matchers_size(); ++i) {
      const auto& entry = proto.range_matchers(i);
      const Context at = context.child("range_matchers", static_cast<size_t>(i));
      const match::OnMatch on_match = onMatch(entry.on_match(), at.child("on_match"));
      for (int j = 0; j < entry.ranges_size(); ++j) {
        const Context range_at = at.child("ranges", static_cast<size_t>(j));
        if (!count(range_at)) return out;
        if (const auto range = compileCidr(entry.ranges(j), range_at)) {
          out.ranges.at(*range).push_back({on_match, entry.exclusive()});
        }
      }
    }
    return out;
  }

  match::DomainMap domains(const v3::ServerNameMatcher& proto, const Context& context,
                           std::shared_ptr<const match::Input> input) {
    match::DomainMap out;
    out.input = std::move(input);
    for (int i = 0; i < proto.domain_matchers_size(); ++i) {
      const auto& entry = proto.domain_matchers(i);
      const Context at = context.child("domain_matchers", static_cast<size_t>(i));
      const match::OnMatch on_match = onMatch(entry.on_match(), at.child("on_match"));
      for (int j = 0; j < entry.domains_size(); ++j) {
        const Context domain_at = at.child("domains", static_cast<size_t>(j));
        if (!count(domain_at)) return out;
        domain(entry.domains(j), domain_at, on_match, out);
      }
    }
    return out;
  }

  static void domain(const std::string& text, const Context& context, const match::OnMatch& on_match,
                     match::DomainMap& out) {
    const std::string lower = base::lowered(text);
    const bool wildcard = lower == "*" || lower.starts_with("*.");
    const std::string name = wildcard ? lower.substr(std::min<size_t>(2, lower.size())) : lower;
    const bool bad = (name.empty() && lower != "*") || name.starts_with('.') || name.find('*') != std::string::npos;
    if (bad || name.size() > match::DomainMap::kLongestName) {
      context.error(absl::StrCat("\"", text,
                                 "\" is no domain; write a whole name such as www.example.com, one with a wildcard for "
                                 "its first labels such as *.example.com, or *"));
      return;
    }
    if (!(wildcard ? out.wildcards : out.names).emplace(name, on_match).second) {
      context.error(absl::StrCat("\"", text, "\" stands in this matcher already; keep one of the two"));
    }
  }

  template <typename T, typename Proto>
  match::NumberMap<T> numbers(const Proto& proto, const Context& context, std::shared_ptr<const match::Input> input) {
    match::NumberMap<T> out;
    out.input = std::move(input);
    for (int i = 0; i < proto.range_matchers_size(); ++i) {
      const auto& entry = proto.range_matchers(i);
      const Context at = context.child("range_matchers", static_cast<size_t>(i));
      const match::OnMatch on_match = onMatch(entry.on_match(), at.child("on_match"));
      for (int j = 0; j < entry.ranges_size(); ++j) {
        const Context range_at = at.child("ranges", static_cast<size_t>(j));
        if (!count(range_at)) return out;
        const auto& range = entry.ranges(j);
        if (!(range.start() < range.end())) {
          range_at.error(absl::StrCat("is empty: it goes from ", range.start(), " to below ", range.end(),
                                      "; end has to be more than start"));
        }
        out.entries.push_back({range.start(), range.end(), on_match});
      }
    }
    return out;
  }

  const MatchPlace& place_;
  const FactoryContext& factories_;
  Regexes regexes_;
  int depth_ = 0;
  size_t entries_ = 0;
  uint8_t needs_ = 0;
};

}  // namespace

std::shared_ptr<const Matcher> compileMatcher(const Proto& matcher, const MatchPlace& place,
                                              const FactoryContext& context) {
  const ErrorMark mark(context.at);
  auto out = MatcherCompiler(place, context).matcher(matcher, context.at);
  return mark.hit() ? nullptr : out;
}

}  // namespace sluice::config
