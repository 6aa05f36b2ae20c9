#include "source/extensions/load_balancing_policies/ring_hash/policy.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

#include "source/base/murmur_hash.h"
#include "source/base/xx_hash.h"

namespace sluice::extensions::load_balancing_policies::ring_hash {
namespace {

using Places = std::vector<std::pair<uint64_t, uint32_t>>;

// The host of the least weight stands at a whole number of places. Of others a part of a place is carried over to the
// next host.
Places placesOf(const upstream::lb::HashTier& tier, const Settings& settings) {
  const double scale =
      std::min(std::ceil(tier.least_weight * static_cast<double>(settings.minimum_size)) / tier.least_weight,
               static_cast<double>(settings.maximum_size));
  Places places;
  places.reserve(static_cast<size_t>(std::ceil(scale)));
  double due = 0;
  std::string text;
  for (uint32_t member = 0; member < tier.members.size(); ++member) {
    due += scale * tier.members[member].weight;
    text.assign(tier.members[member].key) += '_';
    const size_t key_end = text.size();
    for (uint64_t number = 0; static_cast<double>(places.size()) < due; ++number) {
      char digits[20];
      text.resize(key_end);
      text.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
      places.emplace_back(settings.murmur ? base::murmurHash2(text, base::kMurmurSeed) : base::xxHash64(text), member);
    }
  }
  std::sort(places.begin(), places.end());
  return places;
}

}  // namespace

Ring::Ring(const upstream::lb::HashTier& tier, const Settings& settings) {
  const Places places = placesOf(tier, settings);
  const auto bits = static_cast<uint32_t>(std::bit_width(places.size()));
  shift_ = 64 - bits;
  starts_.reserve(size_t{1} << bits);
  for (const auto& [place, member] : places) {
    while (starts_.size() <= place >> shift_) starts_.push_back(static_cast<uint32_t>(places_.size()));
    places_.push_back(place);
    members_.push_back(member);
  }
  starts_.resize(size_t{1} << bits, static_cast<uint32_t>(places_.size()));
}

uint32_t Ring::at(uint64_t hash, uint32_t attempt) const {
  size_t index = starts_[hash >> shift_];
  while (index < places_.size() && places_[index] < hash) ++index;
  return members_[(index + attempt) % members_.size()];
}

}  // namespace sluice::extensions::load_balancing_policies::ring_hash
