// A template of paths in a configuration. (proto: extensions.path.match.uri_template.v3.UriTemplateMatchConfig)
#pragma once

#include <optional>

#include "google/protobuf/any.pb.h"
#include "source/config/errors.h"
#include "source/match/path_template.h"

namespace sluice::config {

// Of the typed_config at which `context` stands; there is one type of it, so it is no kind of extension. Nullopt after
// an error. Thread: main.
std::optional<match::PathTemplate> compilePathTemplate(const google::protobuf::Any& config, const Context& context);

}  // namespace sluice::config
