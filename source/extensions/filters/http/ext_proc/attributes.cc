#include "source/extensions/filters/http/ext_proc/attributes.h"

#include <optional>
#include <utility>

#include "source/base/utf8.h"
#include "source/stream/attributes.h"

namespace sluice::extensions::http_filters::ext_proc {
namespace {

using match::cel::Value;

std::optional<stream::MetadataValue> told(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kNull:
      return stream::MetadataValue{};
    case Value::Kind::kBool:
      return stream::MetadataValue{value.asBool()};
    case Value::Kind::kInt:
      return stream::MetadataValue{static_cast<double>(value.asInt())};
    case Value::Kind::kUint:
      return stream::MetadataValue{static_cast<double>(value.asUint())};
    case Value::Kind::kDouble:
      return stream::MetadataValue{value.asReal()};
    case Value::Kind::kString:
    case Value::Kind::kBytes:
      if (!base::isUtf8(value.text())) return std::nullopt;  // the message holds nothing else
      return stream::MetadataValue{std::string(value.text())};
    default:
      return std::nullopt;
  }
}

}  // namespace

stream::MetadataFields valuesOf(const std::vector<NamedAttribute>& attributes, const stream::FormatContext& context) {
  stream::MetadataFields out;
  const stream::Attributes source(context);
  for (const NamedAttribute& attribute : attributes) {
    constexpr match::cel::Limits kLimits;
    match::cel::Memory memory(kLimits.bytes, kLimits.steps);
    std::optional<stream::MetadataValue> value = told(attribute.program->evaluate(source, memory));
    if (value) out.push_back({attribute.name, *std::move(value)});
  }
  return out;
}

}  // namespace sluice::extensions::http_filters::ext_proc
