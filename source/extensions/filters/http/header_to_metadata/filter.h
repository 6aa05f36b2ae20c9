// Leaves what headers and cookies say in the dynamic metadata, rule by rule.
// (proto: envoy.extensions.filters.http.header_to_metadata.v3.Config)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "source/filter/http_filter.h"
#include "source/match/string.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/stream/metadata.h"

namespace sluice::extensions::http_filters::header_to_metadata {

// The longest value that is taken, in bytes, is one less.
constexpr size_t kTooLong = 8 * 1024;

enum class ValueType : uint8_t { kString, kNumber, kProtobufValue };

// What is left in the metadata, and where.
struct Target {
  std::string metadata_namespace, key;
  std::string value;  // empty: that of the header
  ValueType type = ValueType::kString;
  bool base64 = false;
  match::Regex pattern;  // null: the value stays
  std::string substitution;
};

struct Rule {
  std::string name;     // of a header, in lower case, or of a cookie
  bool cookie = false;  // what `name` names
  bool remove = false;
  std::optional<Target> present, missing;
};

struct DirectionCounters {
  observability::Counter rules_processed, metadata_added, header_not_found;
};

struct Counters {
  DirectionCounters request, response;
  observability::Counter base64_decode_failed, header_value_too_long, regex_substitution_failed;
};

// Reads the bytes of a google.protobuf.Value; nullopt if they are none.
using ReadProtobufValue = std::optional<stream::MetadataValue> (*)(const std::string& bytes);

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::vector<Rule> request, response;
  std::optional<Counters> counters;  // nullopt: nothing is counted
  ReadProtobufValue read_protobuf_value = nullptr;
};

using RouteSettings = route::RouteSettings<Settings>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;

 private:
  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::header_to_metadata
