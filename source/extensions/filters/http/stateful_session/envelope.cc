#include "source/extensions/filters/http/stateful_session/envelope.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "source/base/text.h"
#include "source/extensions/filters/http/stateful_session/session_value.h"
#include "source/http/rules.h"

namespace sluice::extensions::http_filters::stateful_session {
namespace {

constexpr std::string_view kValueMark = "UV:";

// Up to the next ";", which goes.
std::string_view takePart(std::string_view& text) {
  const std::string_view part = text.substr(0, text.find(';'));
  text.remove_prefix(std::min(part.size() + 1, text.size()));
  return part;
}

// The client chooses these bytes: they must not begin another field.
bool mayStandInHeader(std::string_view value) {
  return !value.empty() && http::validValue(value) && http::withoutSpaces(value) == value;
}

}  // namespace

std::optional<Envelope> openEnvelope(std::string_view text) {
  const std::string_view address = takePart(text);
  while (!text.empty()) {
    const std::string_view part = takePart(text);
    if (!part.starts_with(kValueMark)) continue;
    std::string value;
    if (!absl::Base64Unescape(base::toAbsl(part.substr(kValueMark.size())), &value)) return std::nullopt;
    if (!mayStandInHeader(value)) return std::nullopt;
    return Envelope{addressOf(address), std::move(value)};
  }
  return std::nullopt;
}

std::string sealEnvelope(std::string_view address, std::string_view value) {
  return base::strCat(encodeHeader(address), ";", kValueMark, absl::Base64Escape(base::toAbsl(value)));
}

}  // namespace sluice::extensions::http_filters::stateful_session
