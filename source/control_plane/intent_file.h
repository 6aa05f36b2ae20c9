// One file of intent: `resources:` with `@type`, or a bootstrap's `static_resources:`, and for whom (`nodes:`).
//
// Reading checks everything that one resource says by itself, with the proxy's own code; what resources say of each
// other is checked by Intent. Immutable after reading.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/config/errors.h"
#include "source/control_plane/node_selector.h"
#include "source/control_plane/resource.h"
#include "source/control_plane/resource_validator.h"

namespace sluice::control_plane {

// A place in a file, for errors.
struct Location {
  std::string file;
  int line = 0;
  int column = 0;
  std::string path;
};

// One resource names another.
struct Reference {
  ResourceType type;
  std::string name;
  Location location;
  bool ours = true;  // false: over a stream of its own, which may lead here or to another server
};

// An HTTP filter chain whose route table comes by RDS.
struct HttpChain {
  std::string table;
  std::vector<std::string> filters;  // their names
};

// A route table's settings for a filter of the chains that use the table.
struct FilterSetting {
  std::string filter;
  Location location;
};

// What a resource says of others.
struct Relations {
  std::vector<Reference> references;
  std::vector<HttpChain> chains;
  std::vector<FilterSetting> settings;
  std::vector<std::string> upstream_filters;  // names; a table may have settings for them, too
};

struct IntentResource {
  ResourcePtr resource;
  Location location;
  Relations relations;
};

struct IntentFile {
  std::string name;  // as it is told in errors
  NodeSelectors nodes;
  std::vector<IntentResource> resources;
};
using IntentFilePtr = std::shared_ptr<const IntentFile>;

// Reads `text`; JSON if the name ends so, otherwise YAML. Null after adding to `errors`.
IntentFilePtr readIntentFile(const std::string& name, std::string_view text, const ResourceValidator& validator,
                             config::ErrorList& errors);

}  // namespace sluice::control_plane
