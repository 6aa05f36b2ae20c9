#include "source/http/rules.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>

#include "source/base/ascii.h"
#include "source/http/chars.h"

namespace sluice::http {

namespace {

// Beginnings of names that control a request, a cache, a browser or a proxy (RFC 9110 section 6.5.1).
constexpr std::string_view kControls[] = {"x-forwarded",
                                          "x-envoy-",
                                          "x-sluice-",
                                          "x-real-ip",
                                          "proxy-",
                                          "content-range",
                                          "if-",
                                          "range",
                                          "pragma",
                                          "max-forwards",
                                          "x-original-",
                                          "www-authenticate",
                                          "authentication-",
                                          "expires",
                                          "early-data",
                                          "x-rewrite-",
                                          "x-http-method",
                                          "x-method-",
                                          "strict-transport-",
                                          "access-control-",
                                          "sec-",
                                          "x-accel-",
                                          "alt-svc",
                                          "content-security-"};

constexpr std::string_view kCallers[] = {
    "x-user", "x-auth",  "x-webauth",    "x-remote-",      "remote-",   "x-client-",         "x-ssl-",
    "ssl-",   "x-jwt-",  "x-consumer",   "x-credential",   "x-api-key", "x-email",           "x-groups",
    "x-role", "x-goog-", "x-amzn-oidc-", "x-ms-client-",   "x-account", "x-cluster-client-", "front-end-",
    "x-host", "cf-",     "fastly-",      "true-client-ip", "dpop"};

// A report on a body that was decompressed, which controls nothing.
constexpr std::string_view kReport = "x-envoy-decompressor-";

template <size_t kSize>
bool startsWithAny(std::string_view name, const std::string_view (&beginnings)[kSize]) {
  return std::any_of(std::begin(beginnings), std::end(beginnings),
                     [name](std::string_view each) { return name.starts_with(each); });
}

// "." or "..", also in percent form or with path parameters.
bool isDotSegment(std::string_view segment) {
  segment = withoutParameters(segment);
  int dots = 0;
  while (!segment.empty()) {
    if (segment[0] == '.') {
      segment.remove_prefix(1);
    } else if (segment.size() >= 3 && segment[0] == '%' && segment[1] == '2' && (segment[2] | 0x20) == 'e') {
      segment.remove_prefix(3);
    } else {
      return false;
    }
    ++dots;
  }
  return dots == 1 || dots == 2;
}

// What ends a segment at servers of any kind, at the beginning of `text`: a slash of either kind, also in percent form.
// Its length; 0: there is none.
size_t separatorAt(std::string_view text) {
  if (text[0] == '/' || text[0] == '\\') return 1;
  if (text.size() < 3 || text[0] != '%') return 0;
  const char low = static_cast<char>(text[2] | 0x20);
  return (text[1] == '2' && low == 'f') || (text[1] == '5' && low == 'c') ? 3 : 0;
}

}  // namespace

char* copyPadded(base::Arena& arena, std::string_view text) {
  char* const out = arena.allocate(text.size() + kPadding);
  std::memcpy(out, text.data(), text.size());
  std::memset(out + text.size(), 0, kPadding);
  return out;
}

bool validAuthority(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  if (at == end) return false;
  if (*at == '[') {
    const char* const first = ++at;
    while (at < end && (isDigit(*at) || (((*at | 0x20) >= 'a') && ((*at | 0x20) <= 'f')) || *at == ':' || *at == '.')) {
      ++at;
    }
    if (at == end || *at != ']' || at - first < 2) return false;
    ++at;
  } else {
    const char* const first = at;
    at = skipHost(at, end);
    if (at == first) return false;
  }
  if (at == end) return true;
  if (*at++ != ':' || end - at > 5) return false;
  unsigned port = 0;
  for (; at < end; ++at) {
    if (!isDigit(*at)) return false;
    port = port * 10 + static_cast<unsigned>(*at - '0');
  }
  return port <= 65535;
}

bool sameAuthority(std::string_view a, std::string_view b) {
  return base::equalsIgnoringCase(a, b);
}

bool namesPort(std::string_view authority) {
  const size_t digits = authority.find_last_not_of("0123456789");
  if (digits == std::string_view::npos || authority[digits] != ':') return false;
  return authority.substr(digits + 1).find_first_not_of('0') != std::string_view::npos;
}

std::string_view withOneSlash(base::Arena& arena, std::string_view path) {
  const size_t rest = std::min(path.find_first_not_of("/\\"), path.size());
  return rest == 1 && path[0] == '/' ? path : arena.concat("/", path.substr(rest));
}

std::string_view withoutParameters(std::string_view segment) {
  for (size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] == ';') return segment.substr(0, i);
    if (segment[i] != '%' || segment.size() - i < 3) continue;
    if (segment[i + 1] == '3' && (segment[i + 2] | 0x20) == 'b') return segment.substr(0, i);
  }
  return segment;
}

bool hasDotSegment(std::string_view path) {
  size_t begin = 0;
  for (size_t at = 0; at < path.size();) {
    const size_t separator = separatorAt(path.substr(at));
    if (separator > 0 && isDotSegment(path.substr(begin, at - begin))) return true;
    at += std::max<size_t>(separator, 1);
    if (separator > 0) begin = at;
  }
  return isDotSegment(path.substr(begin));
}

bool validLowerName(std::string_view name) {
  if (name.empty()) return false;
  for (const char c : name) {
    if (tokenLower(c) != c || c == 0) return false;
  }
  return true;
}

bool validValue(std::string_view value) {
  const char* at = value.data();
  const char* const end = at + value.size();
#if defined(__SSE2__)
  const auto bad = [](const char* from) {
    const __m128i bytes = detail::load16(from);
    const __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
    const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
    return _mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, detail::atMost(bytes, 0x1f)), del)) != 0;
  };
  if (value.size() >= 16) {
    for (; end - at > 16; at += 16) {
      if (bad(at)) return false;
    }
    return !bad(end - 16);
  }
#endif
  for (; at < end; ++at) {
    if (isControl(*at)) return false;
  }
  return true;
}

bool validTarget(std::string_view target) {
  // skipTarget writes nothing; it stops at the padding at the latest.
  return skipTarget(const_cast<char*>(target.data())) >= target.data() + target.size();
}

bool validMethod(std::string_view method) {
  constexpr size_t kMaxMethod = 64;
  if (method.empty() || method.size() > kMaxMethod) return false;
  for (const char c : method) {
    if (tokenLower(c) == 0) return false;
  }
  return true;
}

bool idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" || method == "DELETE" ||
         method == "TRACE" || method == "QUERY";
}

bool parseLength(std::string_view text, uint64_t& out) {
  if (text.empty() || text.size() > 19) return false;
  uint64_t value = 0;
  for (char c : text) {
    if (!isDigit(c)) return false;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  if (value > INT64_MAX) return false;
  out = value;
  return true;
}

std::optional<uint64_t> lengthOf(const HeaderList& headers) {
  const std::optional<std::string_view> text = headers.get(Name::kContentLength);
  if (!text) return std::nullopt;
  uint64_t length = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), length);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return length;
}

bool allowedInTrailers(const Field& field) {
  constexpr uint64_t kAllowed =
      bit(Name::kGrpcMessage) | bit(Name::kGrpcStatus) | bit(Name::kEtag) | bit(Name::kLastModified);
  if (field.id != Name::kOther) return (kAllowed >> static_cast<unsigned>(field.id)) & 1;
  return !startsWithAny(field.name, kControls) || field.name.starts_with(kReport);
}

bool allowedInRequestTrailers(const Field& field) {
  if (!allowedInTrailers(field)) return false;
  return field.id != Name::kOther || (!saysWhoAsks(field.name) && !field.name.starts_with(kReport));
}

bool saysWhoAsks(std::string_view name) {
  return startsWithAny(name, kCallers);
}

}  // namespace sluice::http
