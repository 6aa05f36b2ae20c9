#include "source/config/values.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "source/base/duration.h"

namespace sluice::config {
namespace {

using envoy::config::core::v3::DataSource;

constexpr size_t kMaxFileBytes = size_t{16} << 20;

std::optional<std::string> readFile(const std::string& path, const Context& context) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || (file.peek() != std::ifstream::traits_type::eof() && !(text << file.rdbuf()))) {
    context.error(absl::StrCat("the file ", path, " cannot be read: ", std::strerror(errno)));
    return std::nullopt;
  }
  std::string content = text.str();
  if (content.size() <= kMaxFileBytes) return content;
  context.error(absl::StrCat("the file ", path, " is larger than 16 MiB"));
  return std::nullopt;
}

std::optional<net::Address> compileSocketAddress(const envoy::config::core::v3::SocketAddress& address,
                                                 const Context& context, bool udp) {
  if (!udp && address.protocol() != envoy::config::core::v3::SocketAddress::TCP) {
    context.child("protocol").error("only TCP is supported here; remove it or write TCP");
    return std::nullopt;
  }
  if (address.port_value() > std::numeric_limits<uint16_t>::max()) {
    context.child("port_value").error(absl::StrCat("must be at most 65535, is ", address.port_value()));
    return std::nullopt;
  }
  const auto ip = net::Address::fromIp(address.address(), static_cast<uint16_t>(address.port_value()));
  if (!ip) {
    context.child("address").error(absl::StrCat("\"", address.address(),
                                                "\" is not an IP address; write one such as "
                                                "127.0.0.1, 0.0.0.0 or ::1"));
  }
  return ip;
}

template <typename Range>
std::optional<net::Cidr> compileRange(const Range& range, const Context& context) {
  const auto cidr = net::Cidr::make(range.address_prefix(), range.prefix_len().value());
  if (!cidr) {
    context.error(absl::StrCat("\"", range.address_prefix(), "/", range.prefix_len().value(),
                               "\" is no range of IP addresses; write address_prefix: 10.0.0.0, prefix_len: 8"));
  }
  return cidr;
}

}  // namespace

std::optional<net::Address> compileAddress(const envoy::config::core::v3::Address& address, const Context& context,
                                           bool udp) {
  if (address.has_socket_address())
    return compileSocketAddress(address.socket_address(), context.child("socket_address"), udp);
  if (!address.has_pipe()) {
    context.error("needs socket_address or pipe");
    return std::nullopt;
  }
  const auto path = net::Address::fromUnixPath(address.pipe().path());
  if (path.ok()) return *path;
  context.child("pipe").child("path").error(std::string(path.status().message()));
  return std::nullopt;
}

std::optional<net::Cidr> compileCidr(const envoy::config::core::v3::CidrRange& range, const Context& context) {
  return compileRange(range, context);
}

std::optional<net::Cidr> compileCidr(const xds::core::v3::CidrRange& range, const Context& context) {
  return compileRange(range, context);
}

std::chrono::nanoseconds compileDuration(const google::protobuf::Duration& duration) {
  return base::nanosecondsOf(duration.seconds(), duration.nanos());
}

std::chrono::milliseconds compileMilliseconds(const google::protobuf::Duration& duration) {
  return std::max(base::millisecondsOf(duration.seconds(), duration.nanos()), std::chrono::milliseconds(0));
}

std::optional<std::string> compileDataSource(const DataSource& source, const Context& context) {
  if (source.has_watched_directory()) {
    context.child("watched_directory").error(kReadOnce);
    return std::nullopt;
  }
  switch (source.specifier_case()) {
    case DataSource::kInlineString:
      return source.inline_string();
    case DataSource::kInlineBytes:
      return source.inline_bytes();
    case DataSource::kFilename:
      return readFile(source.filename(), context.child("filename"));
    case DataSource::kEnvironmentVariable:
      if (const char* value = std::getenv(source.environment_variable().c_str())) return value;
      context.child("environment_variable").error(absl::StrCat("\"", source.environment_variable(), "\" is not set"));
      return std::nullopt;
    case DataSource::SPECIFIER_NOT_SET:
      break;
  }
  context.error("needs filename, inline_string, inline_bytes or environment_variable");
  return std::nullopt;
}

}  // namespace sluice::config
