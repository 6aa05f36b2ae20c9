#include "source/session/proxy_status.h"

#include <algorithm>
#include <cstdint>

namespace sluice::session {

using stream::ResponseFlag;

namespace {

struct Error {
  ResponseFlag flag;
  std::string_view type;  // RFC 9209 section 2.3
  uint16_t code;          // recommended there; 0: none
};

// The first flag that is set counts. Envoy's mapping and order; other flags are no errors.
constexpr Error kErrors[] = {
    {ResponseFlag::kFailedLocalHealthCheck, "destination_unavailable", 503},
    {ResponseFlag::kNoHealthyUpstream, "destination_unavailable", 503},
    {ResponseFlag::kUpstreamRequestTimeout, "http_response_timeout", 504},
    {ResponseFlag::kLocalReset, "connection_timeout", 504},
    {ResponseFlag::kUpstreamRemoteReset, "connection_terminated", 502},
    {ResponseFlag::kUpstreamConnectionFailure, "connection_refused", 502},
    {ResponseFlag::kUpstreamConnectionTermination, "connection_terminated", 502},
    {ResponseFlag::kUpstreamOverflow, "connection_limit_reached", 503},
    {ResponseFlag::kNoRouteFound, "destination_not_found", 500},
    {ResponseFlag::kRateLimited, "connection_limit_reached", 503},
    {ResponseFlag::kRateLimitServiceError, "connection_limit_reached", 503},
    {ResponseFlag::kUpstreamRetryLimitExceeded, "destination_unavailable", 503},
    {ResponseFlag::kStreamIdleTimeout, "http_response_timeout", 504},
    {ResponseFlag::kInvalidEnvoyRequestHeaders, "http_request_error", 0},
    {ResponseFlag::kDownstreamProtocolError, "http_request_error", 0},
    {ResponseFlag::kUpstreamMaxStreamDurationReached, "http_response_timeout", 504},
    {ResponseFlag::kNoFilterConfigFound, "proxy_configuration_error", 500},
    {ResponseFlag::kUpstreamProtocolError, "http_protocol_error", 502},
    {ResponseFlag::kNoClusterFound, "destination_unavailable", 503},
    {ResponseFlag::kDnsResolutionFailed, "dns_error", 502},
};

bool isAlpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// RFC 8941 section 3.3.4.
bool isToken(std::string_view text) {
  constexpr std::string_view kOther = "!#$%&'*+-.^_`|~:/";
  return !text.empty() && (isAlpha(text[0]) || text[0] == '*') && std::all_of(text.begin(), text.end(), [&](char c) {
    return isAlpha(c) || (c >= '0' && c <= '9') || kOther.find(c) != std::string_view::npos;
  });
}

// RFC 8941 section 3.3.3; bytes that cannot stand there become '?'.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c >= 0x20 && c < 0x7f ? c : '?';
  }
  return out + '"';
}

}  // namespace

ProxyStatus::ProxyStatus(std::string_view name, Options options)
    : name_(isToken(name) ? std::string(name) : quoted(name)), options_(options) {}

void ProxyStatus::write(const stream::StreamInfo& info, http::ResponseHeaders& headers, bool may_change_code) const {
  if (!info.response_flags.any()) return;
  const auto error = std::find_if(std::begin(kErrors), std::end(kErrors),
                                  [&info](const Error& each) { return info.response_flags.has(each.flag); });
  if (error == std::end(kErrors)) return;
  std::string value = name_ + "; error=";
  value += error->type;
  if (options_.details && !info.response_code_details.empty()) value += "; details=" + quoted(detailsOf(info));
  // Proxies behind this one have said theirs before. (RFC 9209 section 2)
  headers.add("proxy-status", value);
  const bool has_body = headers.status >= 200 && headers.status != 204 && headers.status != 304;
  if (options_.recommended_code && may_change_code && has_body && error->code != 0) {
    headers.status = error->code;
    headers.reason = {};
  }
}

std::string ProxyStatus::detailsOf(const stream::StreamInfo& info) const {
  std::string out(info.response_code_details);
  if (options_.termination_details && !info.connection_termination_details.empty()) {
    out += "; ";
    out += info.connection_termination_details;
  }
  if (!options_.flags) return out;
  std::string_view separator = "; ";
  for (unsigned i = 0; i < static_cast<unsigned>(ResponseFlag::kCount); ++i) {
    const auto flag = static_cast<ResponseFlag>(i);
    if (!info.response_flags.has(flag)) continue;
    out += separator;
    out += stream::shortTextOf(flag);
    separator = ",";
  }
  return out;
}

}  // namespace sluice::session
