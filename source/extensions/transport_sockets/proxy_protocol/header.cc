#include "source/extensions/transport_sockets/proxy_protocol/header.h"

#include <netinet/in.h>

namespace sluice::extensions::transport_sockets::proxy_protocol {
namespace {

using Family = net::Address::Family;

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

bool named(const net::Address* client, const net::Address* target) {
  return client != nullptr && target != nullptr && client->isIp() && client->family() == target->family();
}

void append16(std::string& out, size_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xFF);
}

void appendIp(std::string& out, const net::Address& address) {
  if (address.family() == Family::kIpv4) {
    const auto& v4 = *reinterpret_cast<const sockaddr_in*>(address.sockaddrPointer());
    out.append(reinterpret_cast<const char*>(&v4.sin_addr), 4);
  } else {
    const auto& v6 = *reinterpret_cast<const sockaddr_in6*>(address.sockaddrPointer());
    out.append(reinterpret_cast<const char*>(&v6.sin6_addr), 16);
  }
}

std::string makeV1(const net::Address* client, const net::Address* target) {
  if (!named(client, target)) return "PROXY UNKNOWN\r\n";
  std::string out = client->family() == Family::kIpv4 ? "PROXY TCP4 " : "PROXY TCP6 ";
  out += client->ip() + " " + target->ip();
  out += " " + std::to_string(client->port()) + " " + std::to_string(target->port()) + "\r\n";
  return out;
}

std::string makeV2(const net::Address* client, const net::Address* target, std::string_view tlvs) {
  const bool known = named(client, target);
  std::string addresses;
  if (known) {
    appendIp(addresses, *client);
    appendIp(addresses, *target);
    append16(addresses, client->port());
    append16(addresses, target->port());
  }
  std::string out(kSignature);
  out += known ? '\x21' : '\x20';  // version 2, PROXY or LOCAL
  out += !known ? '\0' : client->family() == Family::kIpv4 ? '\x11' : '\x21';
  append16(out, addresses.size() + tlvs.size());
  out += addresses;
  out += tlvs;
  return out;
}

}  // namespace

std::string makeTlv(uint8_t type, std::string_view value) {
  std::string out(1, static_cast<char>(type));
  append16(out, value.size());
  out += value;
  return out;
}

std::string makeHeader(Version version, const net::Address* client, const net::Address* target, std::string_view tlvs) {
  return version == Version::kV1 ? makeV1(client, target) : makeV2(client, target, tlvs);
}

}  // namespace sluice::extensions::transport_sockets::proxy_protocol
