// Dynamic metadata of a stream: values that filters leave for later filters, the router and the access log, under the
// name of the filter ("envoy.filters.http.ext_authz"). Proto-free twin of google.protobuf.Struct.
// Thread: the worker of the stream. Owns its text. Made on first use only (see StreamInfo).
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice::stream {

struct MetadataValue;
struct MetadataField;
using MetadataFields = std::vector<MetadataField>;
using MetadataList = std::vector<MetadataValue>;

struct MetadataValue {
  std::variant<std::monostate, bool, double, std::string, MetadataList, MetadataFields> value;
};

struct MetadataField {
  std::string name;
  MetadataValue value;
};

class DynamicMetadata {
 public:
  // Sets `key` under `filter`, replacing what was there.
  void set(std::string_view filter, std::string_view key, MetadataValue value);
  // All of a filter; null if there is nothing.
  const MetadataValue* find(std::string_view filter) const;
  // One value, by its path below the filter; null if any step is missing.
  const MetadataValue* find(std::string_view filter, const std::vector<std::string>& path) const;

 private:
  MetadataFields filters_;
};

}  // namespace sluice::stream
