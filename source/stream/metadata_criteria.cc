#include "source/stream/metadata_criteria.h"

#include <algorithm>
#include <bit>
#include <utility>
#include <variant>

#include "source/base/xx_hash.h"

namespace sluice::stream {
namespace {

void appendSize(std::string& out, size_t size) {
  out += std::to_string(size);
  out += ':';
}

// Each kind begins with a letter of its own, and what has no fixed size with its size.
void append(std::string& out, const MetadataValue& value) {
  struct Visitor {
    std::string& out;
    void operator()(std::monostate) const { out += '0'; }
    void operator()(bool flag) const { out += flag ? 't' : 'f'; }
    void operator()(double number) const {
      out += 'n';
      appendSize(out, std::bit_cast<uint64_t>(number == 0 ? 0.0 : number));  // -0 is 0
    }
    void operator()(const std::string& text) const {
      out += 's';
      appendSize(out, text.size());
      out += text;
    }
    void operator()(const MetadataList& list) const {
      out += 'l';
      appendSize(out, list.size());
      for (const MetadataValue& each : list) append(out, each);
    }
    void operator()(const MetadataFields& fields) const {
      std::vector<const MetadataField*> sorted;
      for (const MetadataField& field : fields) sorted.push_back(&field);
      std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
      out += 'm';
      appendSize(out, sorted.size());
      for (const MetadataField* field : sorted) {
        appendSize(out, field->name.size());
        out += field->name;
        append(out, field->value);
      }
    }
  };
  std::visit(Visitor{out}, value.value);
}

std::string textOf(const MetadataValue& value) {
  std::string out;
  append(out, value);
  return out;
}

void put(MetadataFields& fields, const MetadataField& field) {
  for (MetadataField& known : fields) {
    if (known.name == field.name) {
      known.value = field.value;
      return;
    }
  }
  fields.push_back(field);
}

}  // namespace

MetadataCriterion::MetadataCriterion(std::string_view its_key, const MetadataValue& its_value)
    : key(its_key), value(textOf(its_value)), hash(base::xxHash64(value, base::xxHash64(key))) {}

MetadataCriteria::MetadataCriteria(const MetadataFields& fields) : fields_(fields) {
  for (const MetadataField& field : fields_) criteria_.emplace_back(field.name, field.value);
  std::sort(criteria_.begin(), criteria_.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  const auto list = std::find_if(fields_.begin(), fields_.end(), [](const auto& f) { return f.name == kFallbackList; });
  if (list == fields_.end()) return;
  MetadataFields others = fields_;
  std::erase_if(others, [](const MetadataField& field) { return field.name == kFallbackList; });
  MetadataCriteria without(others);
  const auto* entries = std::get_if<MetadataList>(&list->value.value);
  if (entries == nullptr || entries->empty()) {
    fallbacks_.push_back(std::move(without));
    return;
  }
  for (const MetadataValue& entry : *entries) {
    const auto* its_fields = std::get_if<MetadataFields>(&entry.value);
    fallbacks_.push_back(its_fields != nullptr ? without.with(*its_fields) : without);
  }
}

std::vector<MetadataCriterion> criteriaOf(const MetadataFields* fields, std::string_view key, Lists lists) {
  std::vector<MetadataCriterion> out;
  if (fields == nullptr) return out;
  const auto at = std::find_if(fields->begin(), fields->end(), [&](const auto& field) { return field.name == key; });
  if (at == fields->end()) return out;
  const auto* list = std::get_if<MetadataList>(&at->value.value);
  if (lists == Lists::kOneValue || list == nullptr) {
    out.emplace_back(key, at->value);
    return out;
  }
  for (const MetadataValue& each : *list) {
    MetadataCriterion criterion(key, each);
    if (std::find(out.begin(), out.end(), criterion) == out.end()) out.push_back(std::move(criterion));
  }
  return out;
}

bool hasAll(const MetadataFields* fields, std::span<const MetadataCriterion> wanted, Lists lists) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const MetadataCriterion& each) {
    const auto has = criteriaOf(fields, each.key, lists);
    return std::find(has.begin(), has.end(), each) != has.end();
  });
}

MetadataCriteria MetadataCriteria::with(const MetadataFields& fields) const {
  MetadataFields all = fields_;
  for (const MetadataField& field : fields) put(all, field);
  return MetadataCriteria(all);
}

}  // namespace sluice::stream
