#include "source/extensions/retry/host/omit_host_metadata/predicate.h"

#include <algorithm>

namespace sluice::extensions::retry::host::omit_host_metadata {

using stream::MetadataField;
using stream::MetadataFields;
using stream::MetadataList;
using stream::MetadataValue;

namespace {

bool same(const MetadataValue& a, const MetadataValue& b);

// In any order; no name comes twice.
bool same(const MetadataFields& a, const MetadataFields& b) {
  const auto in_b = [&b](const MetadataField& field) {
    return std::any_of(b.begin(), b.end(), [&field](const MetadataField& other) {
      return other.name == field.name && same(other.value, field.value);
    });
  };
  return a.size() == b.size() && std::all_of(a.begin(), a.end(), in_b);
}

bool same(const MetadataValue& a, const MetadataValue& b) {
  if (a.value.index() != b.value.index()) return false;
  if (const auto* list = std::get_if<MetadataList>(&a.value)) {
    const auto& other = std::get<MetadataList>(b.value);
    return std::equal(list->begin(), list->end(), other.begin(), other.end(),
                      [](const MetadataValue& x, const MetadataValue& y) { return same(x, y); });
  }
  if (const auto* fields = std::get_if<MetadataFields>(&a.value))
    return same(*fields, std::get<MetadataFields>(b.value));
  if (const auto* text = std::get_if<std::string>(&a.value)) return *text == std::get<std::string>(b.value);
  if (const auto* number = std::get_if<double>(&a.value)) return *number == std::get<double>(b.value);
  if (const auto* flag = std::get_if<bool>(&a.value)) return *flag == std::get<bool>(b.value);
  return true;
}

// One of a list is enough.
bool has(const MetadataValue& value, const MetadataValue& wanted) {
  const auto* list = std::get_if<MetadataList>(&value.value);
  if (list == nullptr) return same(value, wanted);
  return std::any_of(list->begin(), list->end(), [&wanted](const MetadataValue& each) { return same(each, wanted); });
}

}  // namespace

bool Predicate::refuses(const route::RetryHost& host) const {
  if (wanted_.empty() || host.metadata == nullptr) return false;
  return std::all_of(wanted_.begin(), wanted_.end(), [&host](const MetadataField& field) {
    const MetadataValue* const found = stream::findMetadata(*host.metadata, "envoy.lb", {field.name});
    return found != nullptr && has(*found, field.value);
  });
}

}  // namespace sluice::extensions::retry::host::omit_host_metadata
