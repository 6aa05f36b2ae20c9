// Under what an answer is found besides its key, so that it can be purged: its address, and the tags that it has.
//
// A label is a text with a letter in front that says what it is. A purge may take more than was meant (hosts count
// without case and port, paths without their escapes), never less. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "source/http/headers.h"

namespace sluice::cache {

// Sorted, each once.
using Labels = std::vector<std::string>;

inline constexpr size_t kMaxTags = 1000;  // of one answer

// What of an address tells the answers of a store apart.
struct Addressing {
  bool host = true;
  std::function<std::string(std::string_view query)> query = {};  // what of it counts, with "?"; empty: all
};

// `path`: with its query.
std::string addressLabel(const Addressing& addressing, std::string_view authority, std::string_view path);

// Adds the tags that stand in the fields `names`, with commas or white space between them. False: there are too many.
bool addTags(const http::HeaderList& response, const std::vector<std::string>& names, Labels& out);

// What is no longer good, though nothing of its lifetime says so.
struct Purge {
  enum class By : uint8_t { kAddress, kPrefix, kTag };
  By by;
  std::string_view text;  // "a.example/x?y", "a.example/images/", "news"
};

// The labels that a purge takes.
struct Selector {
  std::string text;
  bool is_prefix = false;

  static Selector of(const Purge& purge, const Addressing& addressing);
  bool takes(std::string_view label) const { return is_prefix ? label.starts_with(text) : label == text; }
  bool takesAny(const Labels& labels) const;
};

}  // namespace sluice::cache
