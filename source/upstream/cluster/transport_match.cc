#include "source/upstream/cluster/transport_match.h"

#include <algorithm>
#include <variant>

namespace sluice::upstream::cluster {
namespace {

const stream::MetadataFields* fieldsOf(const stream::FixedMetadata& host) {
  if (!host) return nullptr;
  for (const stream::MetadataField& filter : *host.fields()) {
    if (filter.name == kTransportMetadata) return std::get_if<stream::MetadataFields>(&filter.value.value);
  }
  return nullptr;
}

}  // namespace

bool TransportMatch::fits(const stream::FixedMetadata& host) const {
  if (wanted.empty()) return true;
  const stream::MetadataFields* const fields = fieldsOf(host);
  if (fields == nullptr) return false;
  return std::all_of(wanted.begin(), wanted.end(), [fields](const stream::MetadataCriterion& criterion) {
    return std::any_of(fields->begin(), fields->end(), [&criterion](const stream::MetadataField& field) {
      return field.name == criterion.key && stream::MetadataCriterion(field.name, field.value) == criterion;
    });
  });
}

const TransportMatch* TransportMatches::find(const stream::FixedMetadata& host) const {
  const auto found = std::find_if(list.begin(), list.end(), [&host](const auto& match) { return match.fits(host); });
  return found == list.end() ? nullptr : &*found;
}

bool TransportMatches::anyTransport() const {
  return std::any_of(list.begin(), list.end(), [](const auto& match) { return match.transport != nullptr; });
}

}  // namespace sluice::upstream::cluster
