#include "source/net/address.h"

#include <arpa/inet.h>

#include <cstddef>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace sluice::net {

namespace {

absl::string_view toAbsl(std::string_view text) {
  return {text.data(), text.size()};
}

std::optional<uint16_t> parsePort(std::string_view text) {
  if (text.empty() || text.size() > 5) return std::nullopt;
  uint32_t port = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    port = port * 10 + static_cast<uint32_t>(c - '0');
  }
  if (port > 65535) return std::nullopt;
  return static_cast<uint16_t>(port);
}

constexpr size_t kPathOffset = offsetof(sockaddr_un, sun_path);

}  // namespace

absl::StatusOr<Address> Address::parse(std::string_view text) {
  if (!text.empty() && (text[0] == '/' || text[0] == '@')) return fromUnixPath(text);
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", toAbsl(text), "' is not an address: expected IPV4:PORT, [IPV6]:PORT or a socket path"));
  }
  std::string_view host = text.substr(0, colon);
  const std::optional<uint16_t> port = parsePort(text.substr(colon + 1));
  if (!port) {
    return absl::InvalidArgumentError(absl::StrCat("'", toAbsl(text), "': the port must be a number from 0 to 65535"));
  }
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const std::optional<Address> address = fromIp(host, *port);
  if (!address || bracketed != (address->family() == Family::kIpv6)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", toAbsl(text), "' is not an address: expected IPV4:PORT, [IPV6]:PORT or a socket path"));
  }
  return *address;
}

std::optional<Address> Address::fromIp(std::string_view ip, uint16_t port) {
  char text[INET6_ADDRSTRLEN];
  if (ip.empty() || ip.size() >= sizeof(text) || ip.find('\0') != std::string_view::npos) return std::nullopt;
  std::memcpy(text, ip.data(), ip.size());
  text[ip.size()] = '\0';
  unsigned char bytes[16];
  if (inet_pton(AF_INET, text, bytes) == 1) return fromIpv4Bytes(bytes, port);
  if (inet_pton(AF_INET6, text, bytes) == 1) return fromIpv6Bytes(bytes, port);
  return std::nullopt;
}

absl::StatusOr<Address> Address::fromUnixPath(std::string_view path) {
  if (path.empty()) return absl::InvalidArgumentError("the path of a Unix socket is empty");
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("the path of a Unix socket has ", path.size(), " bytes; at most ",
                                                   sizeof(sockaddr_un::sun_path) - 1, " are possible: '", toAbsl(path),
                                                   "'"));
  }
  if (path.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("the path of a Unix socket holds a zero byte");
  }
  Address out;
  out.family_ = Family::kUnix;
  out.storage_.un.sun_family = AF_UNIX;
  std::memcpy(out.storage_.un.sun_path, path.data(), path.size());
  const bool abstract = path[0] == '@';
  if (abstract) out.storage_.un.sun_path[0] = '\0';
  // An abstract name is exactly its bytes; a file system path ends with a zero.
  out.length_ = static_cast<socklen_t>(kPathOffset + path.size() + (abstract ? 0 : 1));
  return out;
}

// The name, a zero byte, the endpoint, where a Unix socket has its path.
absl::StatusOr<Address> Address::ofListener(std::string_view name, std::string_view endpoint) {
  constexpr size_t kMax = 100;
  static_assert(kMax + 1 <= sizeof(sockaddr_un::sun_path));
  if (name.empty()) return absl::InvalidArgumentError("the name of an internal listener is empty");
  const size_t size = name.size() + endpoint.size();
  if (size > kMax) {
    return absl::InvalidArgumentError(absl::StrCat("the names of an internal listener and its endpoint have ", size,
                                                   " bytes; at most ", kMax, " are possible"));
  }
  for (const std::string_view part : {name, endpoint}) {
    if (part.find('\0') != std::string_view::npos) {
      return absl::InvalidArgumentError("the name of an internal listener holds a zero byte");
    }
  }
  Address out;
  out.family_ = Family::kListener;
  name.copy(out.storage_.un.sun_path, name.size());
  endpoint.copy(out.storage_.un.sun_path + name.size() + 1, endpoint.size());  // which may be no text at all
  out.length_ = static_cast<socklen_t>(kPathOffset + size + 1);
  return out;
}

Address Address::fromSockaddr(const sockaddr* address, socklen_t length) {
  Address out;
  if (address == nullptr || length < sizeof(sa_family_t) || length > sizeof(Storage)) return out;
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    return fromIpv4Bytes(&v4->sin_addr, ntohs(v4->sin_port));
  }
  if (address->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    out = fromIpv6Bytes(&v6->sin6_addr, ntohs(v6->sin6_port));
    out.storage_.v6.sin6_scope_id = v6->sin6_scope_id;
    return out;
  }
  if (address->sa_family == AF_UNIX) {
    out.family_ = Family::kUnix;
    std::memcpy(&out.storage_.un, address, length);
    out.length_ = length;
  }
  return out;
}

Address Address::fromIpv4Bytes(const void* bytes, uint16_t port) {
  Address out;
  out.family_ = Family::kIpv4;
  out.storage_.v4.sin_family = AF_INET;
  out.storage_.v4.sin_port = htons(port);
  std::memcpy(&out.storage_.v4.sin_addr, bytes, 4);
  out.length_ = sizeof(sockaddr_in);
  return out;
}

Address Address::fromIpv6Bytes(const void* bytes, uint16_t port) {
  Address out;
  out.family_ = Family::kIpv6;
  out.storage_.v6.sin6_family = AF_INET6;
  out.storage_.v6.sin6_port = htons(port);
  std::memcpy(&out.storage_.v6.sin6_addr, bytes, 16);
  out.length_ = sizeof(sockaddr_in6);
  return out;
}

uint16_t Address::port() const {
  if (family_ == Family::kIpv4) return ntohs(storage_.v4.sin_port);
  if (family_ == Family::kIpv6) return ntohs(storage_.v6.sin6_port);
  return 0;
}

Address Address::withPort(uint16_t port) const {
  Address out = *this;
  if (family_ == Family::kIpv4) out.storage_.v4.sin_port = htons(port);
  if (family_ == Family::kIpv6) out.storage_.v6.sin6_port = htons(port);
  return out;
}

std::string_view Address::listenerName() const {
  if (!isListener()) return {};
  const std::string_view both = identity();
  return both.substr(0, both.find('\0'));
}

std::string_view Address::listenerEndpoint() const {
  if (!isListener()) return {};
  const std::string_view both = identity();
  return both.substr(both.find('\0') + 1);
}

std::string Address::ip() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family_ == Family::kIpv4) return inet_ntop(AF_INET, &storage_.v4.sin_addr, text, sizeof(text));
  if (family_ == Family::kIpv6) return inet_ntop(AF_INET6, &storage_.v6.sin6_addr, text, sizeof(text));
  if (isListener()) return absl::StrCat("envoy://", toAbsl(listenerName()), "/", toAbsl(listenerEndpoint()));
  if (family_ != Family::kUnix) return {};
  std::string path(identity());
  if (!path.empty() && path[0] == '\0') path[0] = '@';
  return path;
}

std::string Address::toString() const {
  if (family_ == Family::kIpv4) return absl::StrCat(ip(), ":", port());
  if (family_ == Family::kIpv6) return absl::StrCat("[", ip(), "]:", port());
  return ip();
}

bool Address::isLoopback() const {
  if (family_ == Family::kIpv4) return (ntohl(storage_.v4.sin_addr.s_addr) >> 24) == 127;
  if (family_ == Family::kIpv6) return IN6_IS_ADDR_LOOPBACK(&storage_.v6.sin6_addr);
  return isUnix() || isListener();
}

bool Address::isPrivate() const {
  if (family_ == Family::kIpv6) return (storage_.v6.sin6_addr.s6_addr[0] & 0xfe) == 0xfc;
  if (family_ != Family::kIpv4) return false;
  const uint32_t ip = ntohl(storage_.v4.sin_addr.s_addr);
  return ip >> 24 == 10 || ip >> 20 == (172u << 4 | 1) || ip >> 16 == (192u << 8 | 168);
}

bool Address::isAny() const {
  if (family_ == Family::kIpv4) return storage_.v4.sin_addr.s_addr == INADDR_ANY;
  if (family_ == Family::kIpv6) return IN6_IS_ADDR_UNSPECIFIED(&storage_.v6.sin6_addr);
  return false;
}

size_t Address::hash() const {
  return std::hash<std::string_view>{}(identity()) * 31 + port() + static_cast<size_t>(family_) * 65537;
}

int Address::compare(const Address& other) const {
  if (family_ != other.family_) return family_ < other.family_ ? -1 : 1;
  if (const int bytes = identity().compare(other.identity()); bytes != 0) return bytes;
  return static_cast<int>(port()) - static_cast<int>(other.port());
}

std::string_view Address::identity() const {
  switch (family_) {
    case Family::kNone:
      return {};
    case Family::kIpv4:
      return {reinterpret_cast<const char*>(&storage_.v4.sin_addr), 4};
    case Family::kIpv6:
      return {reinterpret_cast<const char*>(&storage_.v6.sin6_addr), 16};
    case Family::kListener:
      return {storage_.un.sun_path, length_ - kPathOffset};
    case Family::kUnix:
      break;
  }
  const char* path = storage_.un.sun_path;
  const size_t size = length_ > kPathOffset ? length_ - kPathOffset : 0;
  if (size > 0 && path[0] == '\0') return {path, size};
  return {path, strnlen(path, size)};
}

}  // namespace sluice::net
