// What filters left for others, dynamic metadata and filter state, against patterns.
// (proto: type.matcher.v3.MetadataMatcher, ValueMatcher, FilterStateMatcher)
//
// Immutable, used by all workers; what is looked at belongs to a stream and is borrowed for one call.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "source/match/string.h"
#include "source/net/cidr.h"
#include "source/stream/filter_state.h"
#include "source/stream/metadata.h"

namespace sluice::match {

// A value of metadata. One of another type than the kind asks for does not match.
struct MetadataValueMatcher {
  // kOneOf: a list of which one value matches the only one of `any`. kAny: one of `any` matches.
  enum class Kind : uint8_t { kNull, kNumber, kRange, kString, kBool, kPresent, kOneOf, kAny };

  Kind kind = Kind::kPresent;
  bool flag = true;           // kBool: the value; kPresent: false matches nothing
  double start = 0, end = 0;  // kNumber: start; kRange: start <= value < end
  StringMatcher string;       // kString
  std::vector<MetadataValueMatcher> any;

  // Null: there is no value. No kind matches that.
  bool matches(const stream::MetadataValue* value) const;
};

struct MetadataMatcher {
  std::string filter;
  std::vector<std::string> path;  // below the filter's name
  MetadataValueMatcher value;
  bool invert = false;  // an absent value matches, too

  // Null: no filter left anything.
  bool matches(const stream::DynamicMetadata* metadata) const;
  // The same of what the configuration says, under the names of filters. Null: nothing.
  bool matchesFields(const stream::MetadataFields* by_filter) const;
};

// An object's text. One that is not there, or has no text, does not match.
struct FilterStateMatcher {
  enum class Kind : uint8_t { kString, kAddress };

  std::string key;
  Kind kind = Kind::kString;
  StringMatcher string;           // kString
  std::vector<net::Cidr> ranges;  // kAddress: the text is an address, with or without a port, in one of them
  bool invert_ranges = false;     // kAddress: in none of them

  // Null: no filter left anything.
  bool matches(const stream::FilterState* state) const;
};

}  // namespace sluice::match
