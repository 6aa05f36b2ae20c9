#include "source/route/text_table.h"

#include <algorithm>
#include <bit>

namespace sluice::route {

TextTable::TextTable(std::vector<Entry> entries, Kind kind) : entries_(std::move(entries)) {
  entries_.shrink_to_fit();
  if (entries_.empty()) return;
  if (kind == Kind::kPrefixes) {
    for (const Entry& entry : entries_) lengths_.push_back(entry.size);
    std::sort(lengths_.begin(), lengths_.end());
    lengths_.erase(std::unique(lengths_.begin(), lengths_.end()), lengths_.end());
    lengths_.shrink_to_fit();
  }
  slots_.resize(std::bit_ceil(2 * entries_.size()));
  const size_t mask = slots_.size() - 1;
  for (uint32_t i = 0; i < entries_.size(); ++i) {
    const uint64_t hash = hashOf(entries_[i]);
    size_t at = hash & mask;
    while (slots_[at].entry != kNone) at = (at + 1) & mask;
    slots_[at] = {tagOf(hash), i};
  }
}

// Hashes in the same pieces as the look-ups do.
uint64_t TextTable::hashOf(const Entry& entry) const {
  if (lengths_.empty()) return extendHash(kHashSeed, entry.text, entry.size);
  uint64_t hash = kHashSeed;
  size_t hashed = 0;
  for (const uint32_t length : lengths_) {
    if (length > entry.size) break;
    hash = extendHash(hash, entry.text + hashed, length - hashed);
    hashed = length;
  }
  return hash;
}

}  // namespace sluice::route
