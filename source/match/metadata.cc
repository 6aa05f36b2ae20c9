#include "source/match/metadata.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <variant>

#include "source/net/address.h"

namespace sluice::match {
namespace {

std::optional<net::Address> addressIn(std::string_view text) {
  if (std::optional<net::Address> address = net::Address::fromIp(text, 0)) return address;
  const absl::StatusOr<net::Address> with_port = net::Address::parse(text);
  if (!with_port.ok() || !with_port->isIp()) return std::nullopt;
  return *with_port;
}

}  // namespace

bool MetadataValueMatcher::matches(const stream::MetadataValue* value) const {
  if (value == nullptr) return false;
  switch (kind) {
    case Kind::kNull:
      return std::holds_alternative<std::monostate>(value->value);
    case Kind::kNumber: {
      const double* number = std::get_if<double>(&value->value);
      return number != nullptr && *number == start;
    }
    case Kind::kRange: {
      const double* number = std::get_if<double>(&value->value);
      return number != nullptr && *number >= start && *number < end;
    }
    case Kind::kString: {
      const std::string* text = std::get_if<std::string>(&value->value);
      return text != nullptr && string.matches(*text);
    }
    case Kind::kBool: {
      const bool* truth = std::get_if<bool>(&value->value);
      return truth != nullptr && *truth == flag;
    }
    case Kind::kPresent:
      return flag;
    case Kind::kOneOf: {
      const auto* list = std::get_if<stream::MetadataList>(&value->value);
      return list != nullptr &&
             std::any_of(list->begin(), list->end(), [this](const auto& each) { return any.front().matches(&each); });
    }
    case Kind::kAny:
      return std::any_of(any.begin(), any.end(), [value](const auto& each) { return each.matches(value); });
  }
  return false;
}

bool MetadataMatcher::matches(const stream::DynamicMetadata* metadata) const {
  return matchesFields(metadata == nullptr ? nullptr : &metadata->fields());
}

bool MetadataMatcher::matchesFields(const stream::MetadataFields* by_filter) const {
  const stream::MetadataValue* const found =
      by_filter == nullptr ? nullptr : stream::findMetadata(*by_filter, filter, path);
  return value.matches(found) != invert;
}

bool FilterStateMatcher::matches(const stream::FilterState* state) const {
  const auto* object = state == nullptr ? nullptr : state->get<stream::FilterState::Object>(key);
  if (object == nullptr || object->text().empty()) return false;
  if (kind == Kind::kString) return string.matches(object->text());
  const std::optional<net::Address> address = addressIn(object->text());
  if (!address) return false;
  const bool inside = net::anyContains(ranges, *address);
  return inside != invert_ranges;
}

}  // namespace sluice::match
