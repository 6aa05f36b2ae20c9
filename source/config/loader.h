#pragma once

// Reads configuration files into protobuf messages: YAML, JSON, text or binary protos, by suffix.
//
// Each Loader collects the errors of all that it read. Undeclared fields and unknown types are errors here; rules on
// values are checked afterwards by validate(). Blocking; used by the main thread and by tools.
//
//   ErrorList errors;
//   Positions positions;
//   envoy::config::bootstrap::v3::Bootstrap bootstrap;
//   Loader loader(errors, positions);
//   loader.loadFile("edge.yaml", bootstrap) && loader.mergeYaml(overlay, bootstrap) && validate(bootstrap, ...);

#include <string>
#include <string_view>

#include "google/protobuf/message.h"

#include "source/config/errors.h"

namespace sluice::config {

enum class Format { kYaml, kJson, kText, kBinary };

// .json is JSON; .pb_text, .textproto, .txtpb and .pbtxt are protobuf's text format; .pb, .bin and .binpb are binary;
// everything else is YAML, which JSON nearly is.
Format formatOf(std::string_view path);

class Loader {
 public:
  // Both outlive the loader.
  Loader(ErrorList& errors, Positions& positions) : errors_(errors), positions_(positions) {}

  // Adds the file's fields to `message`. False if there was an error; what could be read is set even then.
  bool loadFile(const std::string& path, google::protobuf::Message& message);

  // The same for a text; `name` stands for the file in errors.
  bool loadText(std::string_view text, Format format, const std::string& name, google::protobuf::Message& message);

  // --config-yaml: a YAML or JSON text over what `message` holds already. Lists are appended to, messages merged, other
  // values replaced.
  bool mergeYaml(std::string_view text, google::protobuf::Message& message);

 private:
  bool loadBinary(std::string_view bytes, const std::string& name, google::protobuf::Message& message);

  ErrorList& errors_;
  Positions& positions_;
};

}  // namespace sluice::config
