// Values of bodies for formats: %REQUEST_BODY(model)%, %RESPONSE_BODY(usage:total)%. A format that may have these
// operators says while it is compiled which values it wants; whoever has the bodies brings them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace sluice::stream {

// Keys of objects, from the outermost; empty: the whole body.
using BodyPath = std::vector<std::string>;

struct BodyPaths {
  std::vector<BodyPath> request, response;
};

// A text as it is, or another value as JSON in one line.
struct BodyValue {
  std::string text;
  bool json = false;
};

// What stands at each path of a BodyPaths; nullopt: nothing, or null.
struct BodyValues {
  std::vector<std::optional<BodyValue>> request, response;
  // Longer ones count as missing.
  size_t longest = std::string::npos;
};

}  // namespace sluice::stream
