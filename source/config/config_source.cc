#include "source/config/config_source.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "source/config/values.h"

namespace sluice::config {
namespace {

using envoy::config::core::v3::ApiConfigSource;
using envoy::config::core::v3::ApiVersion;
using envoy::config::core::v3::ConfigSource;
using envoy::config::core::v3::GrpcService;
using envoy::config::core::v3::HeaderValue;

bool checkApiType(const ApiConfigSource& source, const Context& context) {
  switch (source.api_type()) {
    case ApiConfigSource::GRPC:
    case ApiConfigSource::DELTA_GRPC:
      return true;
    case ApiConfigSource::AGGREGATED_GRPC:
    case ApiConfigSource::AGGREGATED_DELTA_GRPC:
      context.child("api_type").error("is for xdstp names, which are not supported; write GRPC or DELTA_GRPC");
      return false;
    default:
      context.child("api_type").error("is no stream; write GRPC or DELTA_GRPC");
      return false;
  }
}

void addMetadata(const GrpcService& service, const Context& context, GrpcSource& grpc) {
  for (int i = 0; i < service.initial_metadata_size(); ++i) {
    const HeaderValue& header = service.initial_metadata(i);
    const Context at = context.child("initial_metadata", static_cast<size_t>(i));
    const std::string name = absl::AsciiStrToLower(header.key());
    const bool binary = absl::EndsWith(name, "-bin");
    if (name.empty() || name[0] == ':' || absl::StartsWith(name, "grpc-")) {
      at.child("key").error(absl::StrCat("\"", header.key(), "\" is reserved; choose another name"));
    } else if (!header.raw_value().empty() && !binary) {
      at.child("raw_value").error("only names that end in -bin carry bytes; use value");
    } else {
      grpc.initial_metadata.emplace_back(name, header.raw_value().empty() ? header.value() : header.raw_value());
    }
  }
}

void checkTransportVersion(const ApiConfigSource& source, const Context& context) {
  if (source.transport_api_version() == ApiVersion::V3) return;
  context.child("transport_api_version").error("must be V3, the only version that is spoken; write V3");
}

// What only polling has.
void warnOfRest(const ApiConfigSource& source, const Context& context) {
  if (source.cluster_names_size() > 0) {
    context.child("cluster_names").error("is for REST; a stream takes grpc_services");
  }
  if (source.has_refresh_delay()) context.child("refresh_delay").warn("is for REST, and has no effect on a stream");
  if (source.has_request_timeout()) context.child("request_timeout").warn("is for REST, and has no effect on a stream");
}

GrpcSource compileServer(const ApiConfigSource& source, int index, const Context& context) {
  const GrpcService& service = source.grpc_services(index);
  const Context at = context.child("grpc_services", static_cast<size_t>(index));
  GrpcSource grpc;
  grpc.cluster = service.envoy_grpc().cluster_name();
  grpc.authority = service.envoy_grpc().authority().empty() ? grpc.cluster : service.envoy_grpc().authority();
  grpc.delta = source.api_type() == ApiConfigSource::DELTA_GRPC;
  grpc.node_on_first_message_only = source.set_node_on_first_message_only();
  if (grpc.cluster.empty()) at.child("envoy_grpc").child("cluster_name").error("names no cluster");
  addMetadata(service, at, grpc);
  return grpc;
}

RestSource compileRest(const ApiConfigSource& source, const Context& context) {
  checkTransportVersion(source, context);
  RestSource rest;
  if (source.cluster_names_size() != 1 || source.cluster_names(0).empty()) {
    context.child("cluster_names")
        .error(absl::StrCat("takes exactly one cluster that is polled, has ", source.cluster_names_size()));
  } else {
    rest.cluster = source.cluster_names(0);
  }
  if (source.grpc_services_size() > 0) {
    context.child("grpc_services").error("is for streams; REST takes cluster_names");
  }
  if (source.set_node_on_first_message_only()) {
    context.child("set_node_on_first_message_only").error("is for streams; each request of REST has the node");
  }
  rest.refresh_delay = compileMilliseconds(source.refresh_delay());
  if (rest.refresh_delay.count() <= 0) {
    context.child("refresh_delay").error("is needed with REST, and more than 0: how long after an answer to ask again");
  }
  if (source.has_request_timeout()) rest.request_timeout = compileMilliseconds(source.request_timeout());
  return rest;
}

std::optional<ResourceSource> fileSource(const ConfigSource& source, const Context& context) {
  ResourceSource spec;
  spec.kind = ResourceSource::Kind::kFile;
  if (source.has_path_config_source()) {
    spec.path = source.path_config_source().path();
    spec.watched_directory = source.path_config_source().watched_directory().path();
  } else {
    spec.path = source.path();
  }
  if (!spec.path.empty()) return spec;
  context.error("needs a path");
  return std::nullopt;
}

std::optional<ResourceSource> sourceByKind(const ConfigSource& source, const Context& context) {
  ResourceSource spec;
  switch (source.config_source_specifier_case()) {
    case ConfigSource::kPath:
    case ConfigSource::kPathConfigSource:
      return fileSource(source, context);
    case ConfigSource::kAds:
      return spec;
    case ConfigSource::kSelf:
      if (source.self().transport_api_version() == ApiVersion::V2)
        context.child("self").child("transport_api_version").error("V2 is no longer spoken; write V3");
      spec.kind = ResourceSource::Kind::kSelf;
      return spec;
    case ConfigSource::kApiConfigSource: {
      const Context at = context.child("api_config_source");
      if (source.api_config_source().api_type() == ApiConfigSource::REST) {
        spec.kind = ResourceSource::Kind::kRest;
        spec.rest = compileRest(source.api_config_source(), at);
        return spec;
      }
      std::optional<GrpcSource> grpc = compileApiConfigSource(source.api_config_source(), at);
      if (!grpc) return std::nullopt;
      spec.kind = ResourceSource::Kind::kGrpc;
      spec.grpc = *std::move(grpc);
      return spec;
    }
    case ConfigSource::CONFIG_SOURCE_SPECIFIER_NOT_SET:
      break;
  }
  context.error("needs path_config_source, api_config_source or ads");
  return std::nullopt;
}

}  // namespace

std::optional<GrpcSource> compileApiConfigSource(const ApiConfigSource& source, const Context& context) {
  const ErrorMark mark(context);
  checkApiType(source, context);
  checkTransportVersion(source, context);
  warnOfRest(source, context);
  const int count = source.grpc_services_size();
  if (count < 1 || count > 2) {
    context.child("grpc_services").error(absl::StrCat("takes one service, and one to fall back on, has ", count));
    return std::nullopt;
  }
  GrpcSource grpc = compileServer(source, 0, context);
  if (count == 2) grpc.fallback.push_back(compileServer(source, 1, context));
  if (mark.hit()) return std::nullopt;
  return grpc;
}

std::optional<ResourceSource> compileConfigSource(const ConfigSource& source, const Context& context) {
  const ErrorMark mark(context);
  if (source.resource_api_version() == ApiVersion::V2) {
    context.child("resource_api_version").error("V2 is no longer spoken; write V3");
  }
  std::optional<ResourceSource> spec = sourceByKind(source, context);
  if (spec && source.has_initial_fetch_timeout()) {
    spec->initial_fetch_timeout = compileMilliseconds(source.initial_fetch_timeout());
  }
  if (mark.hit()) return std::nullopt;
  return spec;
}

}  // namespace sluice::config
