#include "source/extensions/filters/http/json_to_metadata/filter.h"

#include <re2/re2.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "source/base/ascii.h"
#include "source/filter/context.h"
#include "source/http/rules.h"

namespace sluice::extensions::http_filters::json_to_metadata {
namespace {

using filter::HookResult;
using stream::MetadataValue;

// As numbers become text in Envoy.
std::string textOf(const JsonScalar& scalar) {
  struct Printer {
    std::string operator()(bool value) const { return value ? "1" : "0"; }
    std::string operator()(int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const { return std::to_string(value); }
    std::string operator()(const std::string& value) const { return value; }
  };
  return std::visit(Printer(), scalar);
}

std::optional<double> numberOf(const JsonScalar& scalar) {
  if (const auto* flag = std::get_if<bool>(&scalar)) return *flag ? 1 : 0;
  if (const auto* integer = std::get_if<int64_t>(&scalar)) return static_cast<double>(*integer);
  if (const auto* number = std::get_if<double>(&scalar)) return *number;
  double value = 0;
  if (!absl::SimpleAtod(std::get<std::string>(scalar), &value)) return std::nullopt;
  return value;
}

std::optional<MetadataValue> asItIs(const JsonScalar& scalar) {
  if (const auto* flag = std::get_if<bool>(&scalar)) return MetadataValue{*flag};
  const auto* const text = std::get_if<std::string>(&scalar);
  if (text == nullptr) return MetadataValue{*numberOf(scalar)};
  if (text->size() > kLongestText) return std::nullopt;
  return MetadataValue{*text};
}

// Nullopt: it cannot be made that.
std::optional<MetadataValue> convert(const JsonScalar& scalar, ValueType type) {
  switch (type) {
    case ValueType::kAsItIs:
      return asItIs(scalar);
    case ValueType::kNumber: {
      const std::optional<double> number = numberOf(scalar);
      if (!number) return std::nullopt;
      return MetadataValue{*number};
    }
    case ValueType::kString: {
      std::string text = textOf(scalar);
      if (text.size() > kLongestText) return std::nullopt;
      return MetadataValue{std::move(text)};
    }
  }
  return std::nullopt;
}

bool isEmptyText(const MetadataValue& value) {
  const auto* const text = std::get_if<std::string>(&value.value);
  return text != nullptr && text->empty();
}

// What the rules of one message set, all of it at the end: what a rule preserves is what was there before.
class Changes {
 public:
  explicit Changes(filter::Context& context) : context_(context) {}

  void set(const std::optional<Target>& target) {
    if (target) set(*target, *target->value);
  }
  void set(const Target& target, MetadataValue value) {
    if (target.preserve_existing &&
        context_.info().metadata().find(target.metadata_namespace, {target.key}) != nullptr) {
      return;
    }
    changes_.emplace_back(&target, std::move(value));
  }
  // Whether there was anything.
  bool apply() {
    for (auto& [target, value] : changes_) {
      context_.info().metadata().set(target->metadata_namespace, target->key, std::move(value));
    }
    return !changes_.empty();
  }

 private:
  filter::Context& context_;
  std::vector<std::pair<const Target*, MetadataValue>> changes_;
};

// What all rules set where the body says nothing; whether there was anything.
bool setAll(const Rules& rules, std::optional<Target> Rule::*which, filter::Context& context) {
  Changes changes(context);
  for (const Rule& rule : rules.rules) changes.set(rule.*which);
  return changes.apply();
}

void setFound(const Rule& rule, const std::optional<JsonScalar>& found, Changes& changes) {
  if (!found) return changes.set(rule.on_missing);
  if (!rule.on_present) return;
  if (rule.on_present->value) return changes.set(rule.on_present);
  std::optional<MetadataValue> value = convert(*found, rule.on_present->type);
  if (!value) return changes.set(rule.on_missing);
  if (rule.on_present->type == ValueType::kString && isEmptyText(*value)) return;
  changes.set(*rule.on_present, *std::move(value));
}

bool readBody(const Rules& rules, const filter::Body& body, filter::Context& context) {
  if (!body.complete() || body.bytes().size() > kMaxBody) {
    context.count(rules.counters.too_large_body);
    return setAll(rules, &Rule::on_error, context);
  }
  if (body.bytes().empty()) {
    context.count(rules.counters.no_body);
    return setAll(rules, &Rule::on_missing, context);
  }
  const auto found = readJsonValues(body.bytes(), rules.paths);
  if (!found) {
    context.count(rules.counters.invalid_json_body);
    return setAll(rules, &Rule::on_error, context);
  }
  context.count(rules.counters.success);
  Changes changes(context);
  for (size_t i = 0; i < rules.rules.size(); ++i) setFound(rules.rules[i], (*found)[i], changes);
  return changes.apply();
}

// Whether the body is wanted; else `changed` says whether something was set.
bool readHead(const Rules& rules, const http::HeaderList& headers, bool headers_only, filter::Context& context,
              bool& changed) {
  if (!rules.allows(headers.get(http::Name::kContentType).value_or(""))) {
    context.count(rules.counters.mismatched_content_type);
    changed = setAll(rules, &Rule::on_error, context);
    return false;
  }
  if (!headers_only) return true;
  context.count(rules.counters.no_body);
  changed = setAll(rules, &Rule::on_missing, context);
  return false;
}

}  // namespace

bool Rules::allows(std::string_view content_type) const {
  if (content_type.empty()) return allow_empty_content_type;
  const auto known = [&](std::string_view text) {
    return std::any_of(
        content_types.begin(), content_types.end(),
        [type = http::withoutSpaces(text)](const std::string& each) { return base::equalsLowered(type, each); });
  };
  if (known(content_type) || known(content_type.substr(0, content_type.find(';')))) return true;
  return content_type_regex != nullptr &&
         re2::RE2::FullMatch(re2::StringPiece(content_type.data(), content_type.size()), *content_type_regex);
}

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const Rules& rules = context.settingsOr(settings_).request;
  if (rules.rules.empty()) return filter::Next{};
  bool changed = false;
  request_ = &rules;
  if (readHead(rules, headers, context.requestHeadersOnly(), context, changed)) return filter::Collect{kMaxBody, true};
  if (changed) context.rematchRoute();
  return filter::Next{};
}

HookResult Filter::onRequestBody(filter::Body& body, filter::Context& context) {
  if (readBody(*request_, body, context)) context.rematchRoute();
  return filter::Next{};
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  const Rules& rules = context.settingsOr(settings_).response;
  if (rules.rules.empty()) return filter::Next{};
  bool changed = false;
  response_ = &rules;
  if (readHead(rules, headers, context.responseHeadersOnly(), context, changed)) return filter::Collect{kMaxBody, true};
  return filter::Next{};
}

HookResult Filter::onResponseBody(filter::Body& body, filter::Context& context) {
  readBody(*response_, body, context);
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::json_to_metadata
