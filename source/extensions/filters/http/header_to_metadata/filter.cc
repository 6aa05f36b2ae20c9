#include "source/extensions/filters/http/header_to_metadata/filter.h"

#include <re2/re2.h>

#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "source/base/text.h"
#include "source/filter/context.h"
#include "source/http/cookie.h"

namespace sluice::extensions::http_filters::header_to_metadata {
namespace {

using filter::HookResult;

// Makes values of text, and counts what it cannot make.
class Writer {
 public:
  Writer(const Settings& settings, const DirectionCounters Counters::*direction, filter::Context& context)
      : settings_(settings), direction_(direction), context_(context) {}

  void rule() { countDirection(&DirectionCounters::rules_processed); }
  void missing() { countDirection(&DirectionCounters::header_not_found); }

  // `found`: what the header says.
  void write(const Target& target, std::string_view found) {
    std::string text(target.value.empty() ? found : std::string_view(target.value));
    if (target.value.empty() && target.pattern != nullptr && !text.empty()) {
      re2::RE2::GlobalReplace(&text, *target.pattern, target.substitution);
      if (text.empty()) count(&Counters::regex_substitution_failed);
    }
    if (text.empty()) return;
    if (text.size() >= kTooLong) return count(&Counters::header_value_too_long);
    std::string decoded;
    if (target.base64) {
      if (!absl::Base64Unescape(text, &decoded) || decoded.empty()) return count(&Counters::base64_decode_failed);
      text = std::move(decoded);
    }
    std::optional<stream::MetadataValue> value = valueOf(target.type, std::move(text));
    if (!value) return;
    context_.info().metadata().set(target.metadata_namespace, target.key, *std::move(value));
    countDirection(&DirectionCounters::metadata_added);
  }

 private:
  std::optional<stream::MetadataValue> valueOf(ValueType type, std::string text) const {
    switch (type) {
      case ValueType::kString:
        return stream::MetadataValue{std::move(text)};
      case ValueType::kNumber: {
        double number = 0;
        if (!absl::SimpleAtod(text, &number)) return std::nullopt;
        return stream::MetadataValue{number};
      }
      case ValueType::kProtobufValue:
        return settings_.read_protobuf_value(text);
    }
    return std::nullopt;
  }

  void count(const observability::Counter Counters::*what) {
    if (settings_.counters) context_.count((*settings_.counters).*what);
  }
  void countDirection(const observability::Counter DirectionCounters::*what) {
    if (settings_.counters) context_.count((*settings_.counters).*direction_.*what);
  }

  const Settings& settings_;
  const DirectionCounters Counters::*const direction_;
  filter::Context& context_;
};

template <typename Headers>
std::optional<std::string_view> valueOf(const Rule& rule, const Headers& headers) {
  if (rule.cookie) {
    const std::optional<std::string_view> value = http::cookieValue(headers, rule.name);
    return value && !value->empty() ? value : std::nullopt;
  }
  return rule.name.front() == ':' ? headers.lookup(rule.name) : headers.getAll(rule.name);
}

template <typename Headers>
void apply(const std::vector<Rule>& rules, Headers& headers, Writer writer) {
  for (const Rule& rule : rules) {
    const std::optional<std::string_view> value = valueOf(rule, headers);
    writer.rule();
    if (value && rule.present) writer.write(*rule.present, *value);
    if (value && rule.remove) headers.remove(rule.name);
    if (!value && rule.missing) {
      writer.missing();
      writer.write(*rule.missing, {});
    }
  }
}

}  // namespace

HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const Settings& settings = context.settingsOr(settings_);
  apply(settings.request, headers, Writer(settings, &Counters::request, context));
  return filter::Next{};
}

HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  const Settings& settings = context.settingsOr(settings_);
  apply(settings.response, headers, Writer(settings, &Counters::response, context));
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::header_to_metadata
