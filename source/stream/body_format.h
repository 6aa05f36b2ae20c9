// A format that makes the bodies of answers. Immutable, shared by all workers. (proto:
// core.v3.SubstitutionFormatString)
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "source/stream/formatter.h"

namespace sluice::stream {

inline constexpr std::string_view kPlainText = "text/plain";

struct BodyFormat {
  std::shared_ptr<const Formatter> formatter;
  // Of what it makes.
  std::string content_type{kPlainText};
};

}  // namespace sluice::stream
