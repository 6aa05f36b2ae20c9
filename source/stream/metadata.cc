#include "source/stream/metadata.h"

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

namespace sluice::stream {
namespace {

template <typename Fields>
auto* fieldOf(Fields& fields, std::string_view key) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.name == key; });
  return found == fields.end() ? nullptr : &found->value;
}

}  // namespace

void DynamicMetadata::set(std::string_view filter, std::string_view key, MetadataValue value) {
  settle();
  put(filters_, filter, key, std::move(value));
}

void DynamicMetadata::setText(base::Arena& arena, std::string_view filter, std::string_view key,
                              std::string_view text) {
  add(arena, {.filter = arena.copy(filter), .key = arena.copy(key), .text = arena.copy(text)});
}

void DynamicMetadata::setShared(base::Arena& arena, std::string_view filter,
                                std::shared_ptr<const MetadataFields> fields) {
  add(arena, {.filter = filter, .shared = std::move(fields)});
}

void DynamicMetadata::add(base::Arena& arena, Waiting waiting) {
  auto* const added = new (arena.allocate(sizeof(Waiting))) Waiting(std::move(waiting));
  (first_ == nullptr ? first_ : last_->next) = added;
  last_ = added;
}

void DynamicMetadata::forget(Waiting* first) {
  for (Waiting* each = first; each != nullptr;) std::destroy_at(std::exchange(each, each->next));
}

void DynamicMetadata::settle() const {
  Waiting* const first = std::exchange(first_, nullptr);
  for (const Waiting* each = first; each != nullptr; each = each->next) {
    if (each->shared == nullptr) {
      put(filters_, each->filter, each->key, {std::string(each->text)});
    } else if (MetadataValue* const known = fieldOf(filters_, each->filter)) {
      *known = {*each->shared};
    } else {
      filters_.push_back({std::string(each->filter), {*each->shared}});
    }
  }
  forget(first);
}

void DynamicMetadata::put(MetadataFields& filters, std::string_view filter, std::string_view key, MetadataValue value) {
  MetadataValue* all = fieldOf(filters, filter);
  if (all == nullptr) {
    filters.push_back({std::string(filter), {MetadataFields{}}});
    all = &filters.back().value;
  }
  auto& fields = std::get<MetadataFields>(all->value);
  if (MetadataValue* known = fieldOf(fields, key)) {
    *known = std::move(value);
  } else {
    fields.push_back({std::string(key), std::move(value)});
  }
}

const MetadataValue* DynamicMetadata::find(std::string_view filter) const {
  return fieldOf(fields(), filter);
}

const MetadataValue* DynamicMetadata::find(std::string_view filter, const std::vector<std::string>& path) const {
  return findMetadata(fields(), filter, path);
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
