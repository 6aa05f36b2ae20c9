// A template and a request: whatever both are, a request is found only by a template that gives it back with its values
// in place of variables, where nothing was encoded.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "source/transcoding/rest_paths.h"

using sluice::transcoding::RestPath;
using sluice::transcoding::RestPaths;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const size_t line = text.find('\n');
  if (line == std::string::npos) return 0;
  const std::string request = text.substr(line + 1);
  const auto path = RestPath::parse(text.substr(0, line));
  if (!path.ok()) return 0;
  RestPaths paths;
  paths.add("GET", *path, 0);
  if (paths.add("GET", *path, 1) != 0) std::abort();
  const auto found = paths.find("GET", request);
  if (!found || request.find('%') != std::string::npos) return 0;
  if (found->values.size() != path->variables.size()) std::abort();
  for (const auto& value : found->values) {
    if (request.find(value.value) == std::string::npos) std::abort();
  }
  return 0;
}
