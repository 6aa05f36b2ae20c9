// The configurations of HTTP filters that chains are made of.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/message.h"

namespace sluice::chains {

// When a filter changes bodies: never, with their content type or coding only, always perhaps.
enum class Changes : uint8_t { kNever, kWithType, kAny };

struct Row {
  std::string_view folder;  // of source/extensions/filters/http
  Changes changes = Changes::kNever;
  // Entries of http_filters, beside example.yaml.
  std::vector<std::string_view> others = {};
  // A typed_config for its route; empty: none.
  std::string_view route = {};
};

// One for each HTTP filter.
const std::vector<Row>& rows();

// A configuration of a filter, read.
struct Choice {
  const Row* row;
  size_t which;  // 0: its example, else of `others`
  std::shared_ptr<const google::protobuf::Message> config;
  std::shared_ptr<const google::protobuf::Message> route;  // null: none
};

// By row. Aborts with what is wrong if one cannot be read.
const std::vector<std::vector<Choice>>& choices();

}  // namespace sluice::chains
