// Leaves fields of the first message of gRPC requests in the dynamic metadata.
// (proto: envoy.extensions.filters.http.grpc_field_extraction.v3.GrpcFieldExtractionConfig)
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "source/filter/http_filter.h"
#include "source/transcoding/field_path.h"

namespace sluice::transcoding {
class DescriptorSet;
}

namespace sluice::extensions::http_filters::grpc_field_extraction {

// In bytes. Requests whose first message is larger are refused.
constexpr size_t kMaxMessage = 1 << 20;

struct Extraction {
  std::string name;  // in the metadata
  transcoding::FieldPath field;
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::shared_ptr<const transcoding::DescriptorSet> types;
  std::map<std::string, std::vector<Extraction>, std::less<>> methods;  // by path: "/package.Service/Method"
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestBody(filter::Body& body, filter::Context& context) override;

 private:
  const Settings& settings_;
  const std::vector<Extraction>* extractions_ = nullptr;  // of the method
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::grpc_field_extraction
