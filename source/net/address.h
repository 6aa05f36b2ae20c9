// A network address as a value: IPv4 or IPv6 with a port, a Unix socket path, or an internal listener of this process.
// Cheap to copy, no heap, any thread.
//
// The text form is the one of logs, stats and admin pages: "1.2.3.4:80", "[::1]:80", "/run/app.sock", "@abstract",
// "envoy://listener/endpoint" (parse() does not take the last one).
// Host names are not addresses: source/net/dns.h turns names into addresses.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice::net {

class Address {
 public:
  enum class Family : uint8_t { kNone, kIpv4, kIpv6, kUnix, kListener };

  // No address at all: what a socket has before it is bound. toString() is empty.
  Address() = default;

  // The text form above; a port is required for IP addresses. IPv6 zones ("%eth0") are refused.
  static absl::StatusOr<Address> parse(std::string_view text);
  // A literal IP without brackets. nullopt if `ip` is not one (so: perhaps a host name).
  static std::optional<Address> fromIp(std::string_view ip, uint16_t port);
  // A file system path, or a name in the abstract namespace if it begins with '@'. At most 107 bytes.
  static absl::StatusOr<Address> fromUnixPath(std::string_view path);
  // An internal listener by its name; `endpoint` tells addresses of the same one apart. At most 100 bytes together,
  // without zero bytes. (proto: EnvoyInternalAddress)
  static absl::StatusOr<Address> ofListener(std::string_view name, std::string_view endpoint = {});
  // What accept(), getsockname() and getpeername() give. Other families give kNone.
  static Address fromSockaddr(const sockaddr* address, socklen_t length);
  // 4 or 16 bytes in network order.
  static Address fromIpv4Bytes(const void* bytes, uint16_t port);
  static Address fromIpv6Bytes(const void* bytes, uint16_t port);

  Family family() const { return family_; }
  bool isIp() const { return family_ == Family::kIpv4 || family_ == Family::kIpv6; }
  bool isUnix() const { return family_ == Family::kUnix; }
  bool isListener() const { return family_ == Family::kListener; }
  explicit operator bool() const { return family_ != Family::kNone; }

  // For socket(), bind(), connect().
  int socketFamily() const { return storage_.generic.sa_family; }
  const sockaddr* sockaddrPointer() const { return &storage_.generic; }
  socklen_t sockaddrLength() const { return length_; }

  // Host order; 0 for Unix sockets.
  uint16_t port() const;
  Address withPort(uint16_t port) const;
  // Of an internal listener; views into this object.
  std::string_view listenerName() const;
  std::string_view listenerEndpoint() const;
  // The IP without brackets and port; the path of a Unix socket; the whole text of an internal listener's.
  std::string ip() const;
  std::string toString() const;

  // 127.0.0.0/8, ::1, a Unix socket, or an internal listener.
  bool isLoopback() const;
  // 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918), fc00::/7 (RFC 4193).
  bool isPrivate() const;
  // Of this machine or a private network: who is there is no stranger.
  bool isInternal() const { return isLoopback() || isPrivate(); }
  // 0.0.0.0 or ::
  bool isAny() const;

  friend bool operator==(const Address& a, const Address& b) {
    if (a.family_ != b.family_) return false;
    if (a.family_ != Family::kIpv4) return a.compare(b) == 0;
    return a.storage_.v4.sin_addr.s_addr == b.storage_.v4.sin_addr.s_addr &&
           a.storage_.v4.sin_port == b.storage_.v4.sin_port;
  }
  friend bool operator<(const Address& a, const Address& b) { return a.compare(b) < 0; }

  template <typename H>
  friend H AbslHashValue(H state, const Address& address) {
    const std::string_view bytes = address.identity();
    return H::combine(std::move(state), address.family_, address.port(), bytes);
  }
  size_t hash() const;

 private:
  int compare(const Address& other) const;
  // The bytes that tell two addresses of one family apart, without the port.
  std::string_view identity() const;

  union Storage {
    sockaddr generic;
    sockaddr_in v4;
    sockaddr_in6 v6;
    sockaddr_un un;
    Storage() : un{} {}
  };

  Storage storage_;
  socklen_t length_ = 0;
  Family family_ = Family::kNone;
};

}  // namespace sluice::net

template <>
struct std::hash<sluice::net::Address> {
  size_t operator()(const sluice::net::Address& address) const { return address.hash(); }
};
