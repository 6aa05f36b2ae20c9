#include "source/cache/stored_response.h"

#include <algorithm>

#include "source/http/conditions.h"

namespace sluice::cache {
namespace {

using http::Name;

// Of the statuses that may be cached those that do not depend on how a request was made: what a strange method, length
// or header brought about (405, 414, 501) is not for others.
bool mayBeKept(uint16_t status) {
  constexpr uint16_t kStatuses[] = {200, 203, 204, 300, 301, 308, 404, 410, 451};
  return std::find(std::begin(kStatuses), std::end(kStatuses), status) != std::end(kStatuses);
}

// Of one exchange, one connection or one way.
bool isOfThisExchange(const http::Field& field) {
  switch (field.id) {
    case Name::kAge:
    case Name::kConnection:
    case Name::kContentLength:
    case Name::kKeepAlive:
    case Name::kProxyConnection:
    case Name::kTe:
    case Name::kTrailer:
    case Name::kTransferEncoding:
    case Name::kUpgrade:
    case Name::kXRequestId:
    case Name::kXSluiceRetryRefused:
      return true;
    default:
      return field.name.starts_with("proxy-") || field.name.starts_with("x-envoy-") || field.name == "cache-status";
  }
}

bool hasAnyOf(const http::HeaderList& headers, std::string_view a, std::string_view b) {
  return headers.get(a).value_or("") != "" || headers.get(b).value_or("") != "";
}

std::optional<seconds> lifetimeOf(const http::HeaderList& headers, const ResponseDirectives& directives,
                                  http::Date received) {
  if (directives.s_maxage) return directives.s_maxage;
  if (directives.max_age) return directives.max_age;
  const auto expires = headers.getAll("expires");
  if (!expires) return std::nullopt;
  const auto until = http::parseDate(*expires, received);
  if (!until) return seconds(0);
  const auto date = headers.get(Name::kDate);
  const http::Date from = date ? http::parseDate(*date, received).value_or(received) : received;
  return std::max(seconds(0), *until - from);
}

// (RFC 9111 section 4.2.3)
seconds initialAge(const http::HeaderList& headers, const Exchange& exchange) {
  const auto age = headers.get(Name::kAge);
  const seconds said = age ? deltaSeconds(*age).value_or(seconds(int64_t{1} << 31)) : seconds(0);
  const seconds corrected = said + std::chrono::floor<seconds>(exchange.received - exchange.requested);
  const auto date = headers.get(Name::kDate);
  const auto sent = date ? http::parseDate(*date, exchange.wall_received) : std::nullopt;
  const seconds apparent = sent ? std::max(seconds(0), exchange.wall_received - *sent) : seconds(0);
  return std::max(apparent, corrected);
}

}  // namespace

std::string_view StoredResponse::get(std::string_view lower) const {
  for (const auto& [name, value] : headers) {
    if (name == lower) return value;
  }
  return {};
}

size_t StoredResponse::bytes() const {
  size_t sum = sizeof(*this) + (body ? body->size() : 0);
  for (const auto& [name, value] : headers) sum += sizeof(headers[0]) + name.size() + value.size();
  return sum;
}

seconds StoredResponse::ageAt(Time now) const {
  return initial_age + std::chrono::floor<seconds>(std::max(Time::duration(0), now - received));
}

bool StoredResponse::serves(const RequestDirectives& request, Time now) const {
  if (validate_always || request.no_cache) return false;
  const seconds left = freshFor(now);
  return left > seconds(0) && left >= request.min_fresh.value_or(seconds(0)) &&
         (!request.max_age || ageAt(now) <= *request.max_age);
}

std::shared_ptr<StoredResponse> storable(const http::ResponseHeaders& headers, const Exchange& exchange) {
  if (exchange.no_store || !mayBeKept(headers.status) || headers.has(Name::kSetCookie)) return nullptr;
  const auto says = ResponseDirectives::of(headers);
  if (says.no_store || says.is_private || headers.get("content-range")) return nullptr;
  const bool for_authorized = says.is_public || says.s_maxage || says.must_revalidate;
  if (exchange.authorized && !for_authorized) return nullptr;
  // HTTP/1.0 ends such a body by the end of the connection, however that came about.
  if (headers.protocol == http::Protocol::kHttp10 && !headers.has(Name::kContentLength)) return nullptr;
  const bool has_validator = hasAnyOf(headers, "etag", "last-modified");
  const auto lifetime = lifetimeOf(headers, says, exchange.wall_received);
  if (!lifetime && !(says.no_cache && has_validator)) return nullptr;

  auto out = std::make_shared<StoredResponse>();
  out->status = headers.status;
  out->received = exchange.received;
  out->initial_age = initialAge(headers, exchange);
  out->lifetime = lifetime.value_or(seconds(0));
  out->validate_always = says.no_cache;
  out->for_authorized = for_authorized;
  if (!says.must_revalidate && !says.s_maxage) {  // (RFC 9111 section 5.2.2.10)
    out->stale_while_revalidate = says.stale_while_revalidate.value_or(seconds(0));
    out->stale_if_error = says.stale_if_error.value_or(seconds(0));
  }
  const bool useful = !out->validate_always && out->initial_age < out->lifetime;
  if (!useful && !has_validator) return nullptr;
  for (const http::Field& field : headers) {
    if (!isOfThisExchange(field)) out->headers.emplace_back(field.name, field.value);
  }
  return out;
}

bool isOfAnother(const StoredResponse& stored, const http::ResponseHeaders& not_modified) {
  const auto etag = not_modified.get(Name::kEtag);
  return etag && !http::sameTag(*etag, stored.get("etag"));
}

void refresh(const StoredResponse& stored, const http::ResponseHeaders& not_modified, http::ResponseHeaders& out) {
  out.status = stored.status;
  for (const auto& [name, value] : stored.headers) {
    const bool is_replaced = name == "date" || not_modified.get(name);
    if (!is_replaced || name.starts_with("content-")) out.addView(name, value);
  }
  for (const http::Field& field : not_modified) {
    if (!field.name.starts_with("content-")) out.addView(field.id, field.name, field.value);
  }
}

}  // namespace sluice::cache
