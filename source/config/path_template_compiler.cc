#include "source/config/path_template_compiler.h"

#include <string>
#include <utility>

#include "envoy/extensions/path/match/uri_template/v3/uri_template_match.pb.h"
#include "source/config/any_type.h"

namespace sluice::config {

std::optional<match::PathTemplate> compilePathTemplate(const google::protobuf::Any& config, const Context& context) {
  using Proto = envoy::extensions::path::match::uri_template::v3::UriTemplateMatchConfig;
  const auto proto = unpackOnly<Proto>(config, context);
  if (proto == nullptr) return std::nullopt;
  auto parsed = match::PathTemplate::parse(proto->path_template());
  if (parsed.ok()) return *std::move(parsed);
  context.child("path_template").error(std::string(parsed.status().message()));
  return std::nullopt;
}

}  // namespace sluice::config
