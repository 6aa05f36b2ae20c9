#include "source/extensions/filters/http/grpc_field_extraction/factory.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "envoy/extensions/filters/http/grpc_field_extraction/v3/config.pb.h"
#include "google/protobuf/descriptor.h"
#include "source/config/http_filter_factory.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/grpc_field_extraction/filter.h"
#include "source/transcoding/descriptor_set.h"

namespace sluice::extensions::http_filters::grpc_field_extraction {
namespace {

namespace v3 = envoy::extensions::filters::http::grpc_field_extraction::v3;
using config::Context;

std::vector<Extraction> compileFields(const v3::FieldExtractions& proto, const google::protobuf::Descriptor& message,
                                      const Context& at) {
  std::vector<Extraction> out;
  for (const auto& [path, disposition] : proto.request_field_extractions()) {
    auto field = transcoding::FieldPath::compile(message, path);
    if (!field.ok()) {
      at.entry("request_field_extractions", path).error(std::string(field.status().message()));
      continue;
    }
    out.push_back({path, *std::move(field)});
  }
  return out;
}

void compileMethods(const v3::GrpcFieldExtractionConfig& proto, const Context& at, Settings& out) {
  for (const auto& [name, extractions] : proto.extractions_by_method()) {
    const Context at_method = at.entry("extractions_by_method", name);
    const auto* const method = out.types->pool().FindMethodByName(name);
    if (method == nullptr) {
      at_method.error("is no method of the descriptor set; write \"package.Service.Method\"");
      continue;
    }
    out.methods[transcoding::DescriptorSet::pathOf(*method)] =
        compileFields(extractions, *method->input_type(), at_method);
  }
}

Settings compileSettings(const v3::GrpcFieldExtractionConfig& proto, const Context& at) {
  Settings out;
  const Context at_set = at.child("descriptor_set");
  const std::optional<std::string> bytes = config::compileDataSource(proto.descriptor_set(), at_set);
  if (!bytes) return out;
  auto types = transcoding::DescriptorSet::parse(*bytes);
  if (!types.ok()) {
    at_set.error(std::string(types.status().message()));
    return out;
  }
  out.types = *std::move(types);
  compileMethods(proto, at, out);
  return out;
}

class Factory : public config::HttpFilterOf<v3::GrpcFieldExtractionConfig> {
 public:
  config::HttpFilterPtr makeFilter(const v3::GrpcFieldExtractionConfig& proto,
                                   const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileSettings(proto, context.at));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::grpc_field_extraction
