#include "source/extensions/filters/http/grpc_json_reverse_transcoder/factory.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "envoy/extensions/filters/http/grpc_json_reverse_transcoder/v3/transcoder.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/grpc_json_reverse_transcoder/filter.h"

namespace sluice::extensions::http_filters::grpc_json_reverse_transcoder {
namespace {

using Proto = envoy::extensions::filters::http::grpc_json_reverse_transcoder::v3::GrpcJsonReverseTranscoder;

std::optional<std::string> descriptorSet(const Proto& proto, const config::Context& at) {
  if (proto.descriptor_path().empty()) return proto.descriptor_binary();
  envoy::config::core::v3::DataSource file;
  file.set_filename(proto.descriptor_path());
  return config::compileDataSource(file, at);
}

std::optional<Settings> compileSettings(const Proto& proto, const config::Context& context) {
  Settings settings;
  if (proto.has_max_request_body_size()) settings.max_request = proto.max_request_body_size().value();
  if (proto.has_max_response_body_size()) settings.max_response = proto.max_response_body_size().value();
  const config::Context at = context.child(proto.descriptor_path().empty() ? "descriptor_binary" : "descriptor_path");
  const std::optional<std::string> bytes = descriptorSet(proto, at);
  if (!bytes) return std::nullopt;
  if (bytes->empty()) return settings;
  const Proto::PrintOptions& print = proto.request_json_print_options();
  auto transcoder =
      transcoding::ReverseTranscoder::make(*bytes, {.print_primitives = print.always_print_primitive_fields(),
                                                    .enums_as_ints = print.always_print_enums_as_ints(),
                                                    .json_names = print.use_canonical_field_names()});
  if (!transcoder.ok()) {
    at.error(std::string(transcoder.status().message()));
    return std::nullopt;
  }
  settings.transcoder = *std::move(transcoder);
  return settings;
}

class Factory : public config::RoutedHttpFilterOf<Proto> {
 public:
  std::string_view upstreamRefusal() const override { return "it answers gRPC clients, once, for all attempts"; }

  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    std::optional<Settings> settings = compileSettings(proto, context.at);
    return settings ? std::make_shared<FilterFactory>(*std::move(settings)) : nullptr;
  }

  config::RouteConfigPtr makeRouteConfig(const Proto& proto, const config::FactoryContext& context) const override {
    std::optional<Settings> settings = compileSettings(proto, context.at);
    return settings ? std::make_shared<RouteSettings>(*std::move(settings)) : nullptr;
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::grpc_json_reverse_transcoder
