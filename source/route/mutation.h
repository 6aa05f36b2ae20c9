// Header mutations of one level (cluster weight, route, virtual host or table): names to remove, then fields to add
// (proto: *_headers_to_remove, *_headers_to_add, core.v3.HeaderValueOption).
//
// Immutable after the table is built; used by all workers. Results live in the arena of the header list.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/http/headers.h"
#include "source/match/string.h"

namespace sluice::stream {
struct FormatContext;
}

namespace sluice::route {

// A header value with %OPERATORS%, compiled. Called by workers.
class ValueFormatter {
 public:
  virtual ~ValueFormatter() = default;
  // Appends the value for this stream to `out`.
  virtual void format(const stream::FormatContext& context, std::string& out) const = 0;
};

struct HeaderAddition {
  // proto: HeaderValueOption.HeaderAppendAction
  enum class Action : uint8_t { kAppendIfExistsOrAdd, kAddIfAbsent, kOverwriteIfExistsOrAdd, kOverwriteIfExists };

  std::string name;                                 // lower case; no pseudo-header, not "host"
  std::string value;                                // if there is no formatter
  std::shared_ptr<const ValueFormatter> formatter;  // of %OPERATORS%; null for literal values
  Action action = Action::kAppendIfExistsOrAdd;
  bool keep_empty_value = false;  // false: an empty value changes nothing
};

struct HeaderMutations {
  std::vector<std::string> remove;                    // lower case
  std::vector<match::StringMatcher> remove_matching;  // names that match go, but content-length
  std::vector<HeaderAddition> add;

  bool empty() const { return remove.empty() && remove_matching.empty() && add.empty(); }
  // Removes; then decides every addition on what is left; then overwrites; then adds. That order is Envoy's.
  void apply(http::HeaderList& headers, const stream::FormatContext& context) const;
};

// Both directions of one level.
struct Mutations {
  HeaderMutations request;
  HeaderMutations response;

  bool empty() const { return request.empty() && response.empty(); }
};

}  // namespace sluice::route
