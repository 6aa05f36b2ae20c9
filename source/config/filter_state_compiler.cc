#include "source/config/filter_state_compiler.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/config/format/substitution_format.h"

namespace sluice::config {
namespace {

using envoy::extensions::filters::common::set_filter_state::v3::FilterStateValue;
using Sharing = stream::FilterState::Sharing;

Sharing sharingOf(FilterStateValue::SharedWithUpstream proto) {
  switch (proto) {
    case FilterStateValue::ONCE:
      return Sharing::kOnce;
    case FilterStateValue::TRANSITIVE:
      return Sharing::kTransitive;
    default:
      return Sharing::kNone;
  }
}

// Null after an error.
const stream::ObjectType* typeOf(const FilterStateValue& proto, const Context& context) {
  const bool named = !proto.factory_key().empty();
  const std::string& name = named ? proto.factory_key() : proto.object_key();
  const stream::ObjectType* type = stream::findObjectType(name);
  if (type != nullptr) return type;
  if (named) {
    context.child("factory_key").error(absl::StrCat("there is no '", name, "'; known: ", stream::objectTypeNames()));
  } else {
    context.child("object_key")
        .error(absl::StrCat("'", name,
                            "' means nothing to the proxy, so factory_key has to say what it is made of; known: ",
                            stream::objectTypeNames()));
  }
  return nullptr;
}

}  // namespace

stream::FilterStateRules compileFilterStateRules(const google::protobuf::RepeatedPtrField<FilterStateValue>& values,
                                                 std::string_view field, StateOf whose, const Context& context) {
  std::vector<stream::FilterStateRule> out;
  for (int i = 0; i < values.size(); ++i) {
    const FilterStateValue& proto = values[i];
    const Context at = context.child(field, static_cast<size_t>(i));
    stream::FilterStateRule rule;
    rule.key = proto.object_key();
    rule.type = typeOf(proto, at);
    rule.options = {sharingOf(proto.shared_with_upstream()), proto.read_only()};
    rule.skip_if_empty = proto.skip_if_empty();
    absl::StatusOr<FormatterPtr> value = compileFormat(proto.format_string(), stream::Escape::kNone);
    if (!value.ok()) at.child("format_string").error(std::string(value.status().message()));
    // A meaning goes with the object's name; another one may be made of the same.
    const stream::ObjectType* meaning = stream::findObjectType(rule.key);
    if (meaning != nullptr && meaning->of_connections && whose == StateOf::kRequest &&
        rule.options.sharing == Sharing::kNone) {
      at.child("object_key")
          .error(absl::StrCat("only connections are asked for '", rule.key,
                              "'; set it by the network filter set_filter_state, or share it with an internal listener "
                              "by shared_with_upstream"));
    }
    if (meaning != nullptr && rule.type != nullptr && meaning != rule.type) rule.type = meaning;
    if (rule.type == nullptr || !value.ok()) continue;
    rule.value = *std::move(value);
    out.push_back(std::move(rule));
  }
  return stream::FilterStateRules(std::move(out));
}

}  // namespace sluice::config
