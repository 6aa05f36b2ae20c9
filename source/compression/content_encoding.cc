#include "source/compression/content_encoding.h"

#include "source/base/ascii.h"
#include "source/http/rules.h"

namespace sluice::compression {
namespace {

using base::equalsLowered;
using http::withoutSpaces;

// A qvalue: 0 or 1 with up to three digits behind the point, in thousandths. (RFC 9110 section 12.4.2)
std::optional<uint16_t> parseWeight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  uint16_t weight = text[0] == '1' ? 1000 : 0;
  if (text.size() == 1) return weight;
  if (text[1] != '.') return std::nullopt;
  uint16_t unit = 100;
  for (const char c : text.substr(2)) {
    if (c < '0' || c > '9') return std::nullopt;
    weight = static_cast<uint16_t>(weight + (c - '0') * unit);
    unit /= 10;
  }
  return weight > 1000 ? std::nullopt : std::optional(weight);
}

bool hasElement(std::string_view list, std::string_view lower) {
  bool found = false;
  http::forEachElement(list, [&](std::string_view one) { found |= equalsLowered(one, lower); });
  return found;
}

}  // namespace

bool sameCoding(std::string_view a, std::string_view b) {
  const auto plain = [](std::string_view name) { return equalsLowered(name, "x-gzip") ? "gzip" : name; };
  return base::equalsIgnoringCase(plain(a), plain(b));
}

std::optional<Accepted> parseAccepted(std::string_view element) {
  const size_t semicolon = element.find(';');
  const std::string_view coding = withoutSpaces(element.substr(0, semicolon));
  if (coding.empty()) return std::nullopt;
  if (semicolon == std::string_view::npos) return Accepted{coding, 1000};
  const std::string_view parameter = withoutSpaces(element.substr(semicolon + 1));
  const size_t equals = parameter.find('=');
  if (equals == std::string_view::npos || !equalsLowered(withoutSpaces(parameter.substr(0, equals)), "q")) {
    return std::nullopt;
  }
  const auto weight = parseWeight(withoutSpaces(parameter.substr(equals + 1)));
  if (!weight) return std::nullopt;
  return Accepted{coding, *weight};
}

bool forbidsTransform(const http::HeaderList& headers) {
  if (!headers.has(http::Name::kCacheControl)) return false;
  return hasElement(*headers.getAll("cache-control"), "no-transform");
}

void varyByEncoding(http::ResponseHeaders& headers) {
  const auto vary = headers.getAll("vary");
  if (!vary) {
    headers.addView(http::Name::kVary, "accept-encoding");
  } else if (!hasElement(*vary, "accept-encoding") && !hasElement(*vary, "*")) {
    headers.set(http::Name::kVary, headers.arena().concat(*vary, ", accept-encoding"));
  }
}

bool hasStrongEtag(const http::HeaderList& headers) {
  const auto etag = headers.get(http::Name::kEtag);
  return etag && !etag->starts_with("W/") && !etag->starts_with("w/");
}

void weakenEtag(http::HeaderList& headers) {
  if (!hasStrongEtag(headers)) return;
  headers.set(http::Name::kEtag, headers.arena().concat("W/", *headers.get(http::Name::kEtag)));
}

void forgetBytes(http::HeaderList& headers) {
  for (const std::string_view name : {"accept-ranges", "content-digest", "repr-digest", "digest", "content-md5"}) {
    headers.remove(name);
  }
}

}  // namespace sluice::compression
