// Leaves values of JSON bodies in the dynamic metadata, rule by rule.
// (proto: envoy.extensions.filters.http.json_to_metadata.v3.JsonToMetadata)
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/extensions/filters/http/json_to_metadata/json_values.h"
#include "source/filter/http_filter.h"
#include "source/match/string.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/stream/metadata.h"

namespace sluice::extensions::http_filters::json_to_metadata {

// In bytes. A larger body goes on unread.
constexpr size_t kMaxBody = 1 << 20;
// Longer texts of a body are not taken.
constexpr size_t kLongestText = 8 * 1024;

enum class ValueType : uint8_t { kAsItIs, kString, kNumber };

// What is left in the metadata, and where.
struct Target {
  std::string metadata_namespace, key;
  std::optional<stream::MetadataValue> value;  // nullopt: that of the body
  ValueType type = ValueType::kAsItIs;
  bool preserve_existing = false;
};

struct Rule {
  std::optional<Target> on_present, on_missing, on_error;  // the latter two have a value
};

struct Counters {
  observability::Counter success, mismatched_content_type, no_body, invalid_json_body, too_large_body;
};

// Of one direction.
struct Rules {
  std::vector<Rule> rules;                 // empty: nothing is done
  std::vector<JsonPath> paths;             // as `rules`
  std::vector<std::string> content_types;  // in lower case
  match::Regex content_type_regex;         // null: none
  bool allow_empty_content_type = false;
  Counters counters;

  bool allows(std::string_view content_type) const;
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  Rules request, response;
};

using RouteSettings = route::RouteSettings<Settings>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseBody(filter::Body& body, filter::Context& context) override;

 private:
  const Settings& settings_;
  // Those of the route that the head found: another one may be chosen while the body comes.
  const Rules* request_ = nullptr;
  const Rules* response_ = nullptr;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::json_to_metadata
