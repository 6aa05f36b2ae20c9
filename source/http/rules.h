// Rules for the parts of messages that every version of HTTP shares: what a field, an authority or a length may be.
// Both codecs judge by them, so that no two parsers of ours disagree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "source/base/arena.h"
#include "source/http/headers.h"

namespace sluice::http {

constexpr uint64_t bit(Name name) {
  return uint64_t{1} << static_cast<unsigned>(name);
}

// Copies `text` behind which kPadding (chars.h) zero bytes follow.
char* copyPadded(base::Arena& arena, std::string_view text);

// host[:port] as in RFC 3986 sections 3.2.2 and 3.2.3; no user information, not empty. The text is padded.
bool validAuthority(std::string_view text);
bool sameAuthority(std::string_view a, std::string_view b);
// Of a valid authority: whether it names a port to connect to, 1 to 65535.
bool namesPort(std::string_view authority);

// A token in lower case, not empty (RFC 9113 section 8.2).
bool validLowerName(std::string_view name);
// No control byte but HTAB. The text need not be padded.
bool validValue(std::string_view value);
// Visible ASCII without '#'. The text is padded.
bool validTarget(std::string_view target);
// The path for a location: it begins with exactly one slash, because "//host" and "/\\host" name another host to
// browsers.
std::string_view withOneSlash(base::Arena& arena, std::string_view path);
// A segment of a path in front of its parameters (RFC 3986 section 3.3), also where their ";" is encoded: there are
// servers that take them off before they decode, and some that do it after.
std::string_view withoutParameters(std::string_view segment);
// Whether a segment of the path is "." or ".." to servers of any kind: dots and separators ("/", "\\") in percent form
// count, and parameters do not.
bool hasDotSegment(std::string_view path);
// A token of at most 64 bytes, not empty.
bool validMethod(std::string_view method);
// To ask twice does no more than to ask once (RFC 9110 section 9.2.2).
bool idempotent(std::string_view method);

// RFC 9110 section 8.6: digits only. Below 2^63, so that no sum of it wraps.
bool parseLength(std::string_view text, uint64_t& out);
// The value of content-length: nullopt if the list has none or it is no number.
std::optional<uint64_t> lengthOf(const HeaderList& headers);

// May this field stand in a trailer section? Framing, routing, authentication and the fields of a connection may not
// (RFC 9110 section 6.5.1).
bool allowedInTrailers(const Field& field);
// Of a client's request, where trailers that a server takes for headers could say who asks, or what the proxy measured.
bool allowedInRequestTrailers(const Field& field);

// A name, in lower case, by which proxies and authentication in front of a service tell it who asks, from where and for
// what. There is no complete list of them: it is the usual ones.
bool saysWhoAsks(std::string_view name);

// Without the spaces and tabs around it.
constexpr std::string_view withoutSpaces(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Calls `visit` with each element of a comma-separated list, without white space and unless it is empty.
template <typename Visit>
void forEachElement(std::string_view list, Visit visit) {
  while (true) {
    const size_t comma = list.find(',');
    const std::string_view element = withoutSpaces(list.substr(0, comma));
    if (!element.empty()) visit(element);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

// The entry of x-forwarded-for that the `hops` trusted proxies behind it vouch for; empty: there are not as many.
constexpr std::string_view forwardedAddress(std::string_view list, uint32_t hops) {
  for (;; --hops) {
    const size_t comma = list.rfind(',');
    if (hops == 0) return withoutSpaces(comma == std::string_view::npos ? list : list.substr(comma + 1));
    if (comma == std::string_view::npos) return {};
    list = list.substr(0, comma);
  }
}

}  // namespace sluice::http
