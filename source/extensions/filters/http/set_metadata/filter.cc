#include "source/extensions/filters/http/set_metadata/filter.h"

#include <algorithm>

#include "source/filter/context.h"

namespace sluice::extensions::http_filters::set_metadata {
namespace {

using stream::MetadataField;
using stream::MetadataFields;
using stream::MetadataList;
using stream::MetadataValue;

void mergeFields(MetadataFields& known, const MetadataFields& added) {
  for (const MetadataField& field : added) {
    const auto found =
        std::find_if(known.begin(), known.end(), [&](const MetadataField& each) { return each.name == field.name; });
    if (found == known.end()) {
      known.push_back(field);
    } else {
      merge(found->value, field.value);
    }
  }
}

void add(const Entry& entry, stream::DynamicMetadata& metadata) {
  for (const MetadataField& field : entry.fields) {
    const MetadataValue* const known = metadata.find(entry.metadata_namespace, {field.name});
    MetadataValue value = known == nullptr ? field.value : *known;
    if (known != nullptr) merge(value, field.value);
    metadata.set(entry.metadata_namespace, field.name, std::move(value));
  }
}

}  // namespace

void merge(MetadataValue& known, const MetadataValue& added) {
  auto* const fields = std::get_if<MetadataFields>(&known.value);
  auto* const list = std::get_if<MetadataList>(&known.value);
  if (const auto* more = std::get_if<MetadataFields>(&added.value); more != nullptr && fields != nullptr) {
    mergeFields(*fields, *more);
  } else if (const auto* items = std::get_if<MetadataList>(&added.value); items != nullptr && list != nullptr) {
    list->insert(list->end(), items->begin(), items->end());
  } else {
    known = added;
  }
}

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders&, filter::Context& context) {
  const Settings& settings = context.settingsOr(settings_);
  for (const Entry& entry : settings.entries) {
    stream::DynamicMetadata& metadata = context.info().metadata();
    if (!entry.allow_overwrite && metadata.find(entry.metadata_namespace) != nullptr) {
      context.count(settings.overwrite_denied);
    } else {
      add(entry, metadata);
    }
  }
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::set_metadata
