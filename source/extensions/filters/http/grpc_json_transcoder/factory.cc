#include "source/extensions/filters/http/grpc_json_transcoder/factory.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "envoy/extensions/filters/http/grpc_json_transcoder/v3/transcoder.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/grpc_json_transcoder/filter.h"

namespace sluice::extensions::http_filters::grpc_json_transcoder {
namespace {

using Proto = envoy::extensions::filters::http::grpc_json_transcoder::v3::GrpcJsonTranscoder;

transcoding::Options optionsOf(const Proto& proto) {
  const Proto::PrintOptions& print = proto.print_options();
  transcoding::Options options;
  options.auto_mapping = proto.auto_mapping();
  options.ignored_parameters.insert(proto.ignored_query_parameters().begin(), proto.ignored_query_parameters().end());
  options.ignore_unknown_parameters = proto.ignore_unknown_query_parameters();
  options.unescape = static_cast<transcoding::Unescape>(proto.url_unescape_spec());  // the same numbers
  options.plus_is_space = proto.query_param_unescape_plus();
  options.match_unknown_verbs = proto.match_unregistered_custom_verb();
  options.case_insensitive_enums = proto.case_insensitive_enum_parsing();
  options.reject_collisions = proto.request_validation_options().reject_binding_body_field_collisions();
  options.whitespace = print.add_whitespace();
  options.print_primitives = print.always_print_primitive_fields();
  options.enums_as_ints = print.always_print_enums_as_ints();
  options.proto_names = print.preserve_proto_field_names();
  return options;
}

StreamStyle styleOf(const Proto::PrintOptions& print) {
  if (print.stream_sse_style_delimited()) return StreamStyle::kEvents;
  return print.stream_newline_delimited() ? StreamStyle::kLines : StreamStyle::kArray;
}

std::optional<std::string> descriptorSet(const Proto& proto, const config::Context& at) {
  if (proto.descriptor_set_case() == Proto::kProtoDescriptorBin) return proto.proto_descriptor_bin();
  envoy::config::core::v3::DataSource file;
  file.set_filename(proto.proto_descriptor());
  return config::compileDataSource(file, at);
}

std::optional<Settings> compileSettings(const Proto& proto, const config::Context& at) {
  const bool is_file = proto.descriptor_set_case() == Proto::kProtoDescriptor;
  const config::Context of_set = at.child(is_file ? "proto_descriptor" : "proto_descriptor_bin");
  Settings settings;
  settings.keep_route = proto.match_incoming_request_route();
  settings.convert_status = proto.convert_grpc_status();
  settings.reject_unknown_method = proto.request_validation_options().reject_unknown_method();
  settings.reject_unknown_parameters = proto.request_validation_options().reject_unknown_query_parameters();
  settings.stream_style = styleOf(proto.print_options());
  if (proto.has_max_request_body_size()) settings.max_request = proto.max_request_body_size().value();
  if (proto.has_max_response_body_size()) settings.max_response = proto.max_response_body_size().value();
  if (proto.services().empty()) return settings;
  const std::optional<std::string> bytes = descriptorSet(proto, of_set);
  if (!bytes) return std::nullopt;
  auto transcoder =
      transcoding::Transcoder::make(*bytes, {proto.services().begin(), proto.services().end()}, optionsOf(proto));
  if (!transcoder.ok()) {
    const bool no_service = transcoder.status().code() == absl::StatusCode::kNotFound;
    (no_service ? at.child("services") : of_set).error(std::string(transcoder.status().message()));
    return std::nullopt;
  }
  settings.transcoder = *std::move(transcoder);
  return settings;
}

class Factory : public config::RoutedHttpFilterOf<Proto> {
 public:
  std::string_view upstreamRefusal() const override {
    return "it turns what a client sends into gRPC, once, for all attempts";
  }

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

}  // namespace sluice::extensions::http_filters::grpc_json_transcoder
