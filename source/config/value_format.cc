#include "source/config/value_format.h"

namespace sluice::config {

std::optional<stream::TextFormatter> compileValueFormat(const std::string& text, const Context& context,
                                                        stream::BodyPaths* bodies) {
  auto formatter = stream::TextFormatter::compile(
      text, {.omit_empty_values = true, .escape = stream::Escape::kNone, .bodies = bodies});
  if (formatter.ok()) return *std::move(formatter);
  context.error(std::string(formatter.status().message()));
  return std::nullopt;
}

}  // namespace sluice::config
