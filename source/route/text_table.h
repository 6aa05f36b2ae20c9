// Texts under which routes sit, found by hash: whole texts, or the longest one that another text begins with.
//
// Prefixes cost one probe for each distinct length up to that of the text looked up; each hash is made from the one
// before. An entry is taken only if its parent was the last one taken, so every byte is compared once: texts that begin
// with an entry begin with its parents, and nothing in between is in the table.
//
// Immutable once built; the texts belong to the caller.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "source/route/hash.h"

namespace sluice::route {

inline constexpr uint32_t kNone = UINT32_MAX;

// Counts nothing. The other kind of `Steps` (tests of cost) adds up work: about one for a probe or eight bytes hashed.
struct NoSteps {
  void add(uint64_t) {}
};

class TextTable {
 public:
  enum class Kind : uint8_t { kExact, kPrefixes };

  struct Entry {
    const char* text = nullptr;
    uint32_t size = 0;
    uint32_t parent = kNone;       // kPrefixes: the longest other entry that this one begins with
    uint32_t best = kNone;         // the lowest unconditional route here or in the parents
    uint32_t conditional = kNone;  // the nearest entry with conditional routes: this one or a parent
    uint32_t target = kNone;       // its own conditional routes, in the terms of PathIndex

    std::string_view view() const { return {text, size}; }
  };

  TextTable() = default;
  // `entries` are sorted by text, each once, parents set.
  TextTable(std::vector<Entry> entries, Kind kind);

  bool empty() const { return entries_.empty(); }
  const Entry& operator[](uint32_t entry) const { return entries_[entry]; }

  // The entry whose text is `text`, or kNone.
  template <class Steps>
  uint32_t exact(std::string_view text, Steps& steps) const {
    steps.add(2 + text.size() / 8);
    return probe(extendHash(kHashSeed, text.data(), text.size()), steps, [text](const Entry& entry) {
      return entry.size == text.size() && (text.empty() || std::memcmp(entry.text, text.data(), text.size()) == 0);
    });
  }

  // The longest entry that `text` begins with, or kNone.
  template <class Steps>
  uint32_t longest(std::string_view text, Steps& steps) const {
    uint64_t hash = kHashSeed;
    uint32_t hit = kNone;
    size_t hashed = 0, verified = 0;
    for (const uint32_t length : lengths_) {
      if (length > text.size()) break;
      hash = extendHash(hash, text.data() + hashed, length - hashed);
      steps.add(2 + (length - hashed) / 8);
      hashed = length;
      const uint32_t found = probe(hash, steps, [&](const Entry& entry) {
        return entry.size == length && entry.parent == hit &&
               (length == verified ||
                std::memcmp(entry.text + verified, text.data() + verified, length - verified) == 0);
      });
      if (found == kNone) continue;
      hit = found;
      verified = length;
    }
    return hit;
  }

 private:
  struct Slot {
    uint32_t tag = 0;
    uint32_t entry = kNone;
  };

  uint64_t hashOf(const Entry& entry) const;
  static uint32_t tagOf(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }

  template <class Steps, class IsIt>
  uint32_t probe(uint64_t hash, Steps& steps, IsIt isIt) const {
    if (slots_.empty()) return kNone;
    const size_t mask = slots_.size() - 1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
      const Slot& slot = slots_[at];
      if (slot.entry == kNone) return kNone;
      if (slot.tag == tagOf(hash) && isIt(entries_[slot.entry])) return slot.entry;
      steps.add(1);
    }
  }

  std::vector<Entry> entries_;
  std::vector<Slot> slots_;        // open addressing; a power of two, at most half full
  std::vector<uint32_t> lengths_;  // kPrefixes: of all entries, ascending, distinct
};

}  // namespace sluice::route
