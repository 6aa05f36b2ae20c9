#include "source/server/resource_key.h"

#include <utility>

namespace sluice::server {

xds::GrpcSource toXds(const config::GrpcSource& source) {
  xds::GrpcSource out{source.cluster, source.authority, source.initial_metadata,
                      source.delta ? xds::Variant::kDelta : xds::Variant::kSotw, source.node_on_first_message_only};
  for (const config::GrpcSource& other : source.fallback) out.fallback.push_back(toXds(other));
  return out;
}

xds::Source toXds(const config::ResourceSource& source) {
  xds::Source out;
  switch (source.kind) {
    case config::ResourceSource::Kind::kFile:
      out.kind = xds::Source::Kind::kFile;
      break;
    case config::ResourceSource::Kind::kAds:
    case config::ResourceSource::Kind::kSelf:  // its server is put in its place before
      out.kind = xds::Source::Kind::kAds;
      break;
    case config::ResourceSource::Kind::kGrpc:
      out.kind = xds::Source::Kind::kGrpc;
      break;
    case config::ResourceSource::Kind::kRest:
      out.kind = xds::Source::Kind::kRest;
      out.rest = {source.rest.cluster, source.rest.refresh_delay, source.rest.request_timeout};
      break;
  }
  out.path = source.path;
  out.watched_directory = source.watched_directory;
  out.grpc = toXds(source.grpc);
  out.initial_fetch_timeout = source.initial_fetch_timeout;
  return out;
}

ResourceKey keyOf(const envoy::config::core::v3::ConfigSource& source, std::string name, const std::string& self) {
  config::ErrorList errors;
  const auto compiled = config::compileConfigSource(source, config::Context(errors));
  if (compiled && compiled->kind == config::ResourceSource::Kind::kSelf) return {self, std::move(name)};
  return {compiled ? xds::identity(toXds(*compiled)) : std::string(), std::move(name)};
}

}  // namespace sluice::server
