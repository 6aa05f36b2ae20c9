#include "source/extensions/matching/inputs/network/inputs.h"

#include <variant>

#include "source/stream/stream_info.h"

namespace sluice::extensions::matching::inputs::network {

Value DynamicMetadata::get(const Data& data, Scratch&) const {
  if (data.info == nullptr || data.info->dynamic_metadata == nullptr) return {};
  const stream::MetadataValue* const found = data.info->dynamic_metadata->find(filter_, path_);
  Value out{.structured = found};
  if (found == nullptr) return out;
  if (const auto* text = std::get_if<std::string>(&found->value)) out.text = *text;
  return out;
}

Value FilterState::get(const Data& data, Scratch&) const {
  if (data.info == nullptr || data.info->filter_state == nullptr) return {};
  const auto* object = data.info->filter_state->get<stream::FilterState::Object>(key_);
  if (object == nullptr || object->text().data() == nullptr) return {};
  return {.text = object->text()};
}

}  // namespace sluice::extensions::matching::inputs::network
