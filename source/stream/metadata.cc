#include "source/stream/metadata.h"

#include <algorithm>

namespace sluice::stream {
namespace {

template <typename Fields>
auto* fieldOf(Fields& fields, std::string_view key) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.name == key; });
  return found == fields.end() ? nullptr : &found->value;
}

}  // namespace

void DynamicMetadata::set(std::string_view filter, std::string_view key, MetadataValue value) {
  MetadataValue* all = fieldOf(filters_, filter);
  if (all == nullptr) {
    filters_.push_back({std::string(filter), {MetadataFields{}}});
    all = &filters_.back().value;
  }
  auto& fields = std::get<MetadataFields>(all->value);
  if (MetadataValue* known = fieldOf(fields, key)) {
    *known = std::move(value);
  } else {
    fields.push_back({std::string(key), std::move(value)});
  }
}

const MetadataValue* DynamicMetadata::find(std::string_view filter) const {
  return fieldOf(filters_, filter);
}

const MetadataValue* DynamicMetadata::find(std::string_view filter, const std::vector<std::string>& path) const {
  return findMetadata(filters_, filter, path);
}

const MetadataValue* findMetadata(const MetadataFields& by_filter, std::string_view filter,
                                  const std::vector<std::string>& path) {
  const MetadataValue* at = fieldOf(by_filter, filter);
  for (const std::string& key : path) {
    if (at == nullptr) return nullptr;
    const auto* fields = std::get_if<MetadataFields>(&at->value);
    at = fields == nullptr ? nullptr : fieldOf(*fields, key);
  }
  return at;
}

const MetadataFields* fieldsUnder(const MetadataFields* by_filter, std::string_view filter) {
  const MetadataValue* const all = by_filter == nullptr ? nullptr : fieldOf(*by_filter, filter);
  return all == nullptr ? nullptr : std::get_if<MetadataFields>(&all->value);
}

}  // namespace sluice::stream
