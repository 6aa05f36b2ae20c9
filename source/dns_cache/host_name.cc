#include "source/dns_cache/host_name.h"

#include <charconv>

#include "source/base/ascii.h"
#include "source/base/host_port.h"
#include "source/net/address.h"
#include "source/net/dns_name.h"

namespace sluice::dns_cache {
namespace {

std::optional<uint16_t> parsePort(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

}  // namespace

std::optional<HostName> parseHostName(std::string_view authority, uint16_t default_port) {
  const base::HostPort parts = base::splitHostPort(authority);
  const std::string_view host = parts.bareHost();
  const std::optional<uint16_t> port = parts.has_port ? parsePort(parts.port) : default_port;
  if (!port) return std::nullopt;
  const bool is_v6 = host.find(':') != std::string_view::npos;
  if (host.size() != parts.host.size() && !is_v6) return std::nullopt;
  if (!net::isDnsName(host) && !net::Address::fromIp(host, 0)) return std::nullopt;
  HostName out;
  out.port = *port;
  out.host = base::lowered(host);
  out.key = (is_v6 ? "[" + out.host + "]" : out.host) + ":" + std::to_string(out.port);
  return out;
}

bool names(std::string_view authority, const HostName& name) {
  const base::HostPort parts = base::splitHostPort(authority);
  if (!base::equalsLowered(parts.bareHost(), name.host)) return false;
  return !parts.has_port || parsePort(parts.port) == name.port;
}

}  // namespace sluice::dns_cache
