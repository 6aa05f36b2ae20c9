#include "source/session/client_origin.h"

#include "source/http/rules.h"

namespace sluice::session {
namespace {

bool single(std::string_view list) {
  return list.find(',') == std::string_view::npos;
}

Origin byHops(const OriginDetection& detection, std::string_view list) {
  return {.client = net::Address::fromIp(http::forwardedAddress(list, detection.hops), 0),
          .may_be_internal = single(list),
          .adds_peer = detection.adds_peer};
}

// From the last entry on: who stands in front of a trusted proxy is whom that one has seen. What is no address ends it,
// as nobody vouches for what stands before.
Origin byProxies(const OriginDetection& detection, std::string_view peer_ip, std::string_view list) {
  const std::optional<net::Address> peer = net::Address::fromIp(peer_ip, 0);
  if (!peer || !net::anyContains(detection.proxies, *peer)) return {};
  Origin origin{.may_be_internal = single(list), .adds_peer = detection.adds_peer};
  for (;;) {
    const std::optional<net::Address> next = net::Address::fromIp(http::forwardedAddress(list, 0), 0);
    if (!next) return origin;
    origin.client = next;
    if (single(list) || !net::anyContains(detection.proxies, *next)) return origin;
    list = list.substr(0, list.rfind(','));
  }
}

Origin byHeader(const OriginDetection& detection, const http::RequestHeaders& headers) {
  const std::optional<std::string_view> value = headers.getAll(detection.header);
  Origin origin{.may_be_internal = detection.may_be_internal};
  if (value) origin.client = net::Address::fromIp(http::withoutSpaces(*value), 0);
  if (!origin.client) origin.refusal = detection.refusal;
  return origin;
}

}  // namespace

bool InternalAddresses::contains(const net::Address& address) const {
  return address.isUnix() ? unix_sockets : net::anyContains(ranges, address);
}

Origin findOrigin(const std::vector<OriginDetection>& detections, std::string_view peer_ip,
                  const http::RequestHeaders& headers) {
  const std::optional<std::string_view> list =
      headers.has(http::Name::kXForwardedFor) ? headers.getAll("x-forwarded-for") : std::nullopt;
  for (const OriginDetection& detection : detections) {
    Origin origin;
    if (detection.kind == OriginDetection::Kind::kHeader) {
      origin = byHeader(detection, headers);
    } else if (list) {
      origin = detection.kind == OriginDetection::Kind::kHops ? byHops(detection, *list)
                                                              : byProxies(detection, peer_ip, *list);
    }
    if (origin.client || origin.refusal != 0) return origin;
  }
  return {};
}

}  // namespace sluice::session
