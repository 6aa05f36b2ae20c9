#include "source/http/headers.h"

#include <algorithm>
#include <cstring>

#include "source/http/name_forms.h"

namespace sluice::http {

namespace {

struct Known {
  Name id;
  std::string_view text;
};

constexpr Known kKnown[] = {
    {Name::kAccept, "accept"},
    {Name::kAcceptEncoding, "accept-encoding"},
    {Name::kAcceptLanguage, "accept-language"},
    {Name::kAge, "age"},
    {Name::kAuthorization, "authorization"},
    {Name::kCacheControl, "cache-control"},
    {Name::kConnection, "connection"},
    {Name::kContentEncoding, "content-encoding"},
    {Name::kContentLength, "content-length"},
    {Name::kContentType, "content-type"},
    {Name::kCookie, "cookie"},
    {Name::kDate, "date"},
    {Name::kEtag, "etag"},
    {Name::kExpect, "expect"},
    {Name::kGrpcMessage, "grpc-message"},
    {Name::kGrpcStatus, "grpc-status"},
    {Name::kGrpcTimeout, "grpc-timeout"},
    {Name::kHost, "host"},
    {Name::kHttp2Settings, "http2-settings"},
    {Name::kKeepAlive, "keep-alive"},
    {Name::kLastModified, "last-modified"},
    {Name::kLocation, "location"},
    {Name::kOrigin, "origin"},
    {Name::kProxyConnection, "proxy-connection"},
    {Name::kReferer, "referer"},
    {Name::kRetryAfter, "retry-after"},
    {Name::kServer, "server"},
    {Name::kSetCookie, "set-cookie"},
    {Name::kTe, "te"},
    {Name::kTrailer, "trailer"},
    {Name::kTransferEncoding, "transfer-encoding"},
    {Name::kUpgrade, "upgrade"},
    {Name::kUserAgent, "user-agent"},
    {Name::kVary, "vary"},
    {Name::kVia, "via"},
    {Name::kForwarded, "forwarded"},
    {Name::kXForwardedFor, "x-forwarded-for"},
    {Name::kXForwardedHost, "x-forwarded-host"},
    {Name::kXForwardedProto, "x-forwarded-proto"},
    {Name::kXForwardedClientCert, "x-forwarded-client-cert"},
    {Name::kXRequestId, "x-request-id"},
    {Name::kXEnvoyAttemptCount, "x-envoy-attempt-count"},
    {Name::kXEnvoyDecoratorOperation, "x-envoy-decorator-operation"},
    {Name::kXEnvoyExpectedRqTimeoutMs, "x-envoy-expected-rq-timeout-ms"},
    {Name::kXEnvoyInternal, "x-envoy-internal"},
    {Name::kXEnvoyExternalAddress, "x-envoy-external-address"},
    {Name::kXEnvoyOriginalPath, "x-envoy-original-path"},
    {Name::kXEnvoyOverloaded, "x-envoy-overloaded"},
    {Name::kXEnvoyRatelimited, "x-envoy-ratelimited"},
    {Name::kXEnvoyUpstreamCanary, "x-envoy-upstream-canary"},
    {Name::kXEnvoyUpstreamServiceTime, "x-envoy-upstream-service-time"},
    {Name::kXEnvoyUpstreamRqTimeoutMs, "x-envoy-upstream-rq-timeout-ms"},
    {Name::kXEnvoyUpstreamRqPerTryTimeoutMs, "x-envoy-upstream-rq-per-try-timeout-ms"},
    {Name::kXEnvoyUpstreamStreamDurationMs, "x-envoy-upstream-stream-duration-ms"},
    {Name::kXSluiceRetryRefused, "x-sluice-retry-refused"},
};
constexpr size_t kNames = static_cast<size_t>(Name::kCount);
static_assert(std::size(kKnown) + 1 == kNames, "a name of the enum has no text");
static_assert(kNames <= 64, "presence is a bit set");

constexpr detail::NameTables makeTables() {
  detail::NameTables out{};
  for (const Known& known : kKnown) {
    out.text[static_cast<size_t>(known.id)] = known.text;
    Name& slot = out.slots[detail::nameSlot(known.text.data(), known.text.size())];
    if (slot != Name::kOther) out.perfect = false;
    slot = known.id;
  }
  return out;
}

constexpr detail::NameTables kTables = makeTables();
static_assert(kTables.perfect, "two well-known names share a slot: choose other factors in nameSlot");

std::string_view statusText(base::Arena& arena, uint16_t status) {
  char* out = arena.allocate(3);
  out[0] = static_cast<char>('0' + status / 100 % 10);
  out[1] = static_cast<char>('0' + status / 10 % 10);
  out[2] = static_cast<char>('0' + status % 10);
  return {out, 3};
}

}  // namespace

constexpr detail::NameTables detail::kNameTables = kTables;

std::string_view textOf(Name name) {
  return name < Name::kCount ? kTables.text[static_cast<size_t>(name)] : std::string_view{};
}

uint32_t HeaderList::find(Name id, std::string_view lower) const {
  if (id != Name::kOther) {
    if (!has(id)) return size_;
    for (uint32_t i = 0; i < size_; ++i) {
      if (fields_[i].id == id) return i;
    }
    return size_;
  }
  for (uint32_t i = 0; i < size_; ++i) {
    if (fields_[i].id == Name::kOther && fields_[i].name == lower) return i;
  }
  return size_;
}

std::optional<std::string_view> HeaderList::get(std::string_view lower) const {
  const uint32_t at = find(nameOf(lower), lower);
  if (at == size_) return std::nullopt;
  return fields_[at].value;
}

std::optional<std::string_view> HeaderList::getAll(std::string_view lower) const {
  const Name id = nameOf(lower);
  const auto matches = [&](const Field& field) {
    return field.id == id && (id != Name::kOther || field.name == lower);
  };
  const uint32_t first = find(id, lower);
  if (first == size_) return std::nullopt;
  size_t size = 0;
  size_t count = 0;
  for (uint32_t i = first; i < size_; ++i) {
    if (!matches(fields_[i])) continue;
    size += fields_[i].value.size() + 2;  // the longest glue
    ++count;
  }
  if (count == 1) return fields_[first].value;
  const std::string_view glue = id == Name::kCookie ? "; " : ",";
  char* const joined = arena_->allocate(size);
  char* at = joined;
  for (uint32_t i = first; i < size_; ++i) {
    if (!matches(fields_[i])) continue;
    if (i != first) at = static_cast<char*>(std::memcpy(at, glue.data(), glue.size())) + glue.size();
    const std::string_view value = fields_[i].value;
    if (!value.empty()) std::memcpy(at, value.data(), value.size());
    at += value.size();
  }
  return std::string_view(joined, static_cast<size_t>(at - joined));
}

void HeaderList::replace(Name id, std::string_view value) {
  const uint32_t at = find(id, {});
  fields_[at].value = arena_->copy(value);
  uint32_t index = 0;
  removeIf([&](const Field& field) { return index++ > at && field.id == id; });
}

void HeaderList::set(std::string_view name, std::string_view value) {
  const Name id = nameOf(name);
  if (id != Name::kOther) return set(id, value);
  const uint32_t at = find(id, name);
  if (at == size_) return add(name, value);
  fields_[at].value = arena_->copy(value);
  uint32_t index = 0;
  removeIf([&](const Field& field) { return index++ > at && field.id == Name::kOther && field.name == name; });
}

void HeaderList::append(std::string_view name, std::string_view value) {
  const Name id = nameOf(name);
  for (uint32_t i = size_; i-- > 0;) {
    Field& field = fields_[i];
    if (field.id != id || (id == Name::kOther && field.name != name)) continue;
    field.value = field.value.empty() ? arena_->copy(value) : arena_->concat(field.value, ",", value);
    return;
  }
  add(name, value);
}

size_t HeaderList::remove(Name id) {
  if (!has(id)) return 0;
  return removeIf([id](const Field& field) { return field.id == id; });
}

size_t HeaderList::remove(std::string_view lower) {
  const Name id = nameOf(lower);
  if (id != Name::kOther) return remove(id);
  return removeIf([lower](const Field& field) { return field.id == Name::kOther && field.name == lower; });
}

void HeaderList::removeField(const Field& field) {
  const Name id = field.id;
  Field* const at = fields_ + (&field - fields_);
  std::copy(at + 1, fields_ + size_, at);
  --size_;
  if (id != Name::kOther && std::none_of(begin(), end(), [id](const Field& other) { return other.id == id; })) {
    present_ &= ~(uint64_t{1} << static_cast<unsigned>(id));
  }
}

void HeaderList::addCopies(const HeaderList& from) {
  for (const Field& field : from) {
    field.id == Name::kOther ? add(field.name, field.value) : add(field.id, field.value);
  }
  if (from.forms() != nullptr) forms_ = from.forms()->copy(*arena_);
}

size_t HeaderList::byteSize() const {
  size_t size = 0;
  for (const Field& field : *this) size += field.name.size() + field.value.size() + 4;
  return size;
}

void HeaderList::grow() {
  const uint32_t capacity = capacity_ == 0 ? kFirstCapacity : capacity_ * 2;
  Field* const fields = arena_->allocateArray<Field>(capacity);
  if (size_ > 0) std::memcpy(static_cast<void*>(fields), fields_, size_ * sizeof(Field));
  fields_ = fields;
  capacity_ = capacity;
}

std::string_view textOf(Protocol protocol) {
  switch (protocol) {
    case Protocol::kHttp10:
      return "HTTP/1.0";
    case Protocol::kHttp11:
      return "HTTP/1.1";
    case Protocol::kHttp2:
      return "HTTP/2";
    case Protocol::kHttp3:
      return "HTTP/3";
  }
  return {};
}

std::optional<std::string_view> RequestHeaders::lookup(std::string_view lower) const {
  if (lower.empty() || lower[0] != ':') return get(lower);
  std::string_view value;
  if (lower == ":method") value = method;
  if (lower == ":path") value = path;
  if (lower == ":authority") value = authority;
  if (lower == ":scheme") value = scheme;
  if (value.empty()) return std::nullopt;
  return value;
}

std::optional<std::string_view> ResponseHeaders::lookup(std::string_view lower) const {
  if (lower == ":status") return statusText(arena(), status);
  return get(lower);
}

std::string_view reasonPhrase(uint16_t status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 102:
      return "Processing";
    case 103:
      return "Early Hints";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 203:
      return "Non-Authoritative Information";
    case 204:
      return "No Content";
    case 205:
      return "Reset Content";
    case 206:
      return "Partial Content";
    case 207:
      return "Multi-Status";
    case 208:
      return "Already Reported";
    case 226:
      return "IM Used";
    case 300:
      return "Multiple Choices";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 305:
      return "Use Proxy";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Payload Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Entity";
    case 423:
      return "Locked";
    case 424:
      return "Failed Dependency";
    case 425:
      return "Too Early";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 451:
      return "Unavailable For Legal Reasons";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 506:
      return "Variant Also Negotiates";
    case 507:
      return "Insufficient Storage";
    case 508:
      return "Loop Detected";
    case 511:
      return "Network Authentication Required";
    default:
      return "Unknown";
  }
}

}  // namespace sluice::http
