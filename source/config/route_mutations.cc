#include "source/config/route_mutations.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/config/route_texts.h"
#include "source/config/value_format.h"

namespace sluice::config {
namespace {

using envoy::config::core::v3::HeaderValueOption;
using Action = route::HeaderAddition::Action;

constexpr size_t kMaxAdditions = 1000;

// The lower-cased name of a header that may be changed; empty after an error.
std::string changeableName(const std::string& name, const Context& context) {
  const std::string lower = absl::AsciiStrToLower(name);
  if (lower.rfind(':', 0) == 0 || lower == "host") {
    context.error(absl::StrCat("\"", name, "\" is part of the request line and not changed by header mutations; use ",
                               "host_rewrite_literal, prefix_rewrite or regex_rewrite"));
    return {};
  }
  if (lower == "content-length" || lower == "transfer-encoding") {
    context.error(absl::StrCat("\"", name, "\" says where a message ends and belongs to the proxy; remove this entry"));
    return {};
  }
  if (!isToken(lower)) {
    context.error("is no header name; use letters, digits and !#$%&'*+-.^_`|~ only");
    return {};
  }
  return lower;
}

Action actionOf(const HeaderValueOption& option, const Context& context) {
  if (option.has_append()) {
    if (option.append_action() != HeaderValueOption::APPEND_IF_EXISTS_OR_ADD) {
      context.error("has both append and append_action; keep append_action, which replaces append");
    }
    return option.append().value() ? Action::kAppendIfExistsOrAdd : Action::kOverwriteIfExistsOrAdd;
  }
  switch (option.append_action()) {
    case HeaderValueOption::APPEND_IF_EXISTS_OR_ADD:
      return Action::kAppendIfExistsOrAdd;
    case HeaderValueOption::ADD_IF_ABSENT:
      return Action::kAddIfAbsent;
    case HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD:
      return Action::kOverwriteIfExistsOrAdd;
    case HeaderValueOption::OVERWRITE_IF_EXISTS:
      return Action::kOverwriteIfExists;
    default:
      context.child("append_action").error("is no value of its enum");
      return Action::kAppendIfExistsOrAdd;
  }
}

void setValue(const envoy::config::core::v3::HeaderValue& header, stream::BodyPaths* bodies, const Context& context,
              route::HeaderAddition& out) {
  if (!header.value().empty() && !header.raw_value().empty()) {
    context.error("has both value and raw_value; keep one of them");
    return;
  }
  const bool raw = !header.raw_value().empty();
  const std::string& value = raw ? header.raw_value() : header.value();
  const Context at = context.child(raw ? "raw_value" : "value");
  if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    at.error("holds CR, LF or NUL, which would end the header; remove them");
    return;
  }
  out.value = std::string(absl::StripAsciiWhitespace(value));
  if (value.find('%') == std::string::npos) return;
  auto formatter = compileValueFormat(value, at, bodies);
  if (!formatter) return;
  out.formatter = std::make_shared<const FormattedValue>(*std::move(formatter));
}

route::HeaderAddition compileAddition(const HeaderValueOption& option, const Context& context,
                                      stream::BodyPaths* bodies = nullptr) {
  route::HeaderAddition out;
  out.name = changeableName(option.header().key(), context.child("header").child("key"));
  out.action = actionOf(option, context);
  out.keep_empty_value = option.keep_empty_value();
  setValue(option.header(), bodies, context.child("header"), out);
  return out;
}

}  // namespace

std::vector<route::HeaderAddition> compileHeaderAdditions(const HeaderValueOptions& add, std::string_view field,
                                                          const Context& context) {
  std::vector<route::HeaderAddition> out;
  if (static_cast<size_t>(add.size()) > kMaxAdditions) {
    context.child(field).error(absl::StrCat("has ", add.size(), " entries; at most ", kMaxAdditions, " are taken"));
  }
  for (int i = 0; i < add.size(); ++i) {
    out.push_back(compileAddition(add[i], context.child(field, static_cast<size_t>(i))));
  }
  return out;
}

std::vector<route::HeaderMutations> compileHeaderMutationList(
    const google::protobuf::RepeatedPtrField<envoy::config::common::mutation_rules::v3::HeaderMutation>& list,
    std::string_view field, const Context& context, stream::BodyPaths* bodies) {
  std::vector<route::HeaderMutations> out;
  for (int i = 0; i < list.size(); ++i) {
    const Context at = context.child(field, static_cast<size_t>(i));
    route::HeaderMutations& change = out.emplace_back();
    if (list[i].has_append()) {
      change.add.push_back(compileAddition(list[i].append(), at.child("append"), bodies));
    } else if (list[i].has_remove_on_match()) {
      change.remove_matching.push_back(Regexes().stringMatcher(list[i].remove_on_match().key_matcher(),
                                                               at.child("remove_on_match").child("key_matcher")));
    } else {
      change.remove.push_back(changeableName(list[i].remove(), at.child("remove")));
    }
  }
  return out;
}

route::HeaderMutations compileHeaderMutations(const HeaderValueOptions& add, const HeaderNames& remove,
                                              std::string_view direction, const Context& context) {
  route::HeaderMutations out;
  const std::string add_field = absl::StrCat(std::string(direction), "_headers_to_add");
  const std::string remove_field = absl::StrCat(std::string(direction), "_headers_to_remove");
  for (int i = 0; i < remove.size(); ++i) {
    std::string name = changeableName(remove[i], context.child(remove_field, static_cast<size_t>(i)));
    if (!name.empty()) out.remove.push_back(std::move(name));
  }
  out.add = compileHeaderAdditions(add, add_field, context);
  return out;
}

}  // namespace sluice::config
