#include "source/session/forwarding.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>

#include "source/http/rules.h"
#include "source/net/address.h"
#include "source/session/client_cert.h"
#include "source/session/client_origin.h"

namespace sluice::session {
namespace {

using http::Name;

void setRemote(base::Arena& arena, const net::Address& address, stream::StreamInfo& info) {
  info.downstream_remote_address = arena.copy(address.toString());
}

// What is no address is ignored.
void setRemote(base::Arena& arena, std::string_view address, stream::StreamInfo& info) {
  const std::optional<net::Address> parsed = net::Address::fromIp(address, 0);
  if (!parsed) return;
  info.downstream_remote_address =
      parsed->family() == net::Address::Family::kIpv6 ? arena.concat("[", address, "]:0") : arena.concat(address, ":0");
}

bool fromEnvoy(std::string_view name) {
  return name.size() > 8 && std::memcmp(name.data(), "x-envoy-", 8) == 0;
}

// Most requests have none.
bool anyFromEnvoy(const http::RequestHeaders& headers) {
  return std::any_of(headers.begin(), headers.end(), [](const http::Field& field) { return fromEnvoy(field.name); });
}

void removeAllFromEnvoy(http::RequestHeaders& headers) {
  headers.removeIf([](const http::Field& field) { return fromEnvoy(field.name); });
}

// What tells the router how to treat a request, or others who the client is, which is not for strangers to say.
// (Envoy: docs "HTTP header sanitizing")
void removeRouterControls(http::RequestHeaders& headers) {
  static constexpr std::string_view kControls[] = {"internal",
                                                   "retriable-header-names",
                                                   "retriable-status-codes",
                                                   "retry-on",
                                                   "retry-grpc-on",
                                                   "max-retries",
                                                   "hedge-on-per-try-timeout",
                                                   "force-trace",
                                                   "ip-tags",
                                                   "upstream-alt-stat-name",
                                                   "upstream-rq-timeout-ms",
                                                   "upstream-rq-per-try-timeout-ms",
                                                   "upstream-stream-duration-ms",
                                                   "upstream-rq-timeout-alt-response",
                                                   "original-url",
                                                   "expected-rq-timeout-ms"};
  headers.removeIf([](const http::Field& field) {
    if (!fromEnvoy(field.name)) return false;
    return std::find(std::begin(kControls), std::end(kControls), field.name.substr(8)) != std::end(kControls);
  });
}

// Behind what stands in x-forwarded-for already.
void addPeer(const HttpSettings& settings, const PeerText& peer, const std::optional<std::string_view>& before,
             http::RequestHeaders& headers) {
  if (peer.remote_ip.empty()) return;
  base::Arena& arena = headers.arena();
  const bool mapped = settings.mapped_ipv4 && peer.remote_ip.find(':') == std::string_view::npos;
  const std::string_view ip = mapped ? arena.concat("::ffff:", peer.remote_ip) : peer.remote_ip;
  headers.set(Name::kXForwardedFor, before ? arena.concat(*before, ",", ip) : ip);
}

// What the connection says replaces what the head says, unless a proxy that is trusted stands in front.
void setConnectionFacts(const HttpSettings& settings, const PeerText& peer, bool trusted,
                        http::RequestHeaders& headers) {
  if (settings.scheme.empty() && !headers.has(Name::kXForwardedProto)) {
    headers.addView(Name::kXForwardedProto, clientScheme(settings, peer));  // static text
  } else if (!settings.scheme.empty() || !trusted) {
    headers.set(Name::kXForwardedProto, clientScheme(settings, peer));
  }
  if (!settings.append_forwarded_port || peer.local_port == 0) return;
  constexpr std::string_view kPort = "x-forwarded-port";
  if (!trusted || !headers.get(kPort)) headers.set(kPort, std::to_string(peer.local_port));
}

// Whoever connects from elsewhere is a stranger, whatever the head says. Where the peer is no client but a hop that is
// trusted, the caller is an application behind its sidecar, which sends no x-forwarded-for, or a service that speaks
// for itself, whose internal address stands there alone.
bool isInternal(const HttpSettings& settings, const PeerText& peer,
                const std::optional<std::string_view>& forwarded_for) {
  if (!settings.internal_addresses || !peer.near) return false;
  if (!forwarded_for) return true;
  if (settings.use_remote_address) return false;
  const std::optional<net::Address> caller = net::Address::fromIp(*forwarded_for, 0);
  return caller && settings.internal_addresses->contains(*caller);
}

void addUserAgent(const UserAgent& agent, http::RequestHeaders& headers) {
  constexpr std::string_view kCluster = "x-envoy-downstream-service-cluster", kNode = "x-envoy-downstream-service-node";
  if (!agent.node.empty()) headers.set(kNode, agent.node);
  if (agent.cluster.empty()) return;
  headers.set(kCluster, agent.cluster);
  if (headers.get(Name::kUserAgent).value_or("").empty()) headers.set(Name::kUserAgent, agent.cluster);
}

}  // namespace

std::string_view clientScheme(const HttpSettings& settings, const PeerText& peer) {
  if (!settings.scheme.empty()) return settings.scheme;
  if (peer.redirected) {
    const auto lists = [&peer](const std::vector<uint16_t>& ports) {
      return std::find(ports.begin(), ports.end(), peer.local_port) != ports.end();
    };
    if (lists(settings.forward_proto.https)) return "https";
    if (lists(settings.forward_proto.http)) return "http";
  }
  return peer.trusted_tls ? "https" : "http";
}

Forwarding applyForwarding(const HttpSettings& settings, const PeerText& peer, http::RequestHeaders& headers,
                           stream::StreamInfo& info) {
  base::Arena& arena = headers.arena();
  info.downstream_remote_address = peer.remote;
  applyClientCert(clientCertFor(settings, headers, info), peer.transport, headers);
  const std::optional<std::string_view> before =
      headers.has(Name::kXForwardedFor) ? headers.getAll("x-forwarded-for") : std::nullopt;
  bool internal = false;
  if (settings.origin_detections.empty()) {
    internal = isInternal(settings, peer, before);
    const uint32_t hops = settings.xff_num_trusted_hops;
    if (before && !settings.use_remote_address) setRemote(arena, http::forwardedAddress(*before, hops), info);
    if (before && settings.use_remote_address && hops > 0)
      setRemote(arena, http::forwardedAddress(*before, hops - 1), info);
    if (settings.use_remote_address && !settings.skip_xff_append) addPeer(settings, peer, before, headers);
  } else {
    const Origin origin = findOrigin(settings.origin_detections, peer.remote_ip, headers);
    if (origin.refusal != 0) {
      return {filter::Reply{origin.refusal, "", "rejecting_because_detection_failed"}};
    }
    if (origin.client) setRemote(arena, *origin.client, info);
    internal = origin.client && origin.may_be_internal && settings.internal_addresses && peer.near &&
               settings.internal_addresses->contains(*origin.client);
    if (origin.adds_peer) addPeer(settings, peer, before, headers);
  }

  const bool edge = settings.use_remote_address && !internal;
  setConnectionFacts(settings, peer, !settings.use_remote_address || settings.xff_num_trusted_hops > 0, headers);
  if (internal) {
    headers.set(Name::kXEnvoyInternal, "true");
  } else if (anyFromEnvoy(headers)) {
    edge ? removeAllFromEnvoy(headers) : removeRouterControls(headers);
  }
  if (settings.user_agent) addUserAgent(*settings.user_agent, headers);
  return {.edge = edge};
}

}  // namespace sluice::session
