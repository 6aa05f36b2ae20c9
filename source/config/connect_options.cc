#include "source/config/connect_options.h"

#include <netinet/in.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/config/socket_options.h"

namespace sluice::config {
namespace {

using envoy::config::core::v3::BindConfig;
using envoy::config::core::v3::SocketAddress;
using envoy::config::core::v3::TcpKeepalive;
using net::ConnectOptions;
using net::SocketOption;

// What the kernel takes.
constexpr uint32_t kMaxKeepaliveSeconds = 32767;
constexpr uint32_t kMaxKeepaliveProbes = 127;

void checkKeepalive(const TcpKeepalive& keepalive, const Context& context) {
  const auto check = [&context](bool set, uint32_t value, const char* field, uint32_t most) {
    if (!set || (value >= 1 && value <= most)) return;
    context.child(field).error(absl::StrCat("the kernel takes 1 to ", most, ", not ", value));
  };
  check(keepalive.has_keepalive_probes(), keepalive.keepalive_probes().value(), "keepalive_probes",
        kMaxKeepaliveProbes);
  check(keepalive.has_keepalive_time(), keepalive.keepalive_time().value(), "keepalive_time", kMaxKeepaliveSeconds);
  check(keepalive.has_keepalive_interval(), keepalive.keepalive_interval().value(), "keepalive_interval",
        kMaxKeepaliveSeconds);
}

template <typename Options>
std::vector<SocketOption> socketOptions(const Options& options, bool freebind, const Context& context) {
  std::vector<SocketOption> out;
  if (freebind) addForIp(out, IP_FREEBIND, IPV6_FREEBIND, "freebind");
  for (int i = 0; i < options.size(); ++i) {
    const Context at = context.child("socket_options", static_cast<size_t>(i));
    addSocketOption(options[i], at, out);
    if (out.back().when == SocketOption::When::kListening) {
      at.child("state").error("a socket that connects never listens; use STATE_PREBIND or STATE_BOUND");
    }
  }
  return out;
}

// One use: compiles one BindConfig.
class BindCompiler {
 public:
  BindCompiler(const BindConfig& proto, const Context& context) : proto_(proto), context_(context) {}

  ConnectOptions compile() {
    out_.options = socketOptions(proto_.socket_options(), proto_.freebind().value(), context_);
    if (proto_.has_source_address()) {
      addSource(proto_.source_address(), context_.child("source_address"), out_.options);
    }
    for (int i = 0; i < proto_.additional_source_addresses_size(); ++i) {
      addExtra(proto_.additional_source_addresses(i),
               context_.child("additional_source_addresses", static_cast<size_t>(i)), out_.options);
    }
    for (int i = 0; i < proto_.extra_source_addresses_size(); ++i) {
      const auto& extra = proto_.extra_source_addresses(i);
      const Context at = context_.child("extra_source_addresses", static_cast<size_t>(i));
      addExtra(extra.address(), at.child("address"),
               extra.has_socket_options() ? socketOptions(extra.socket_options().socket_options(),
                                                          proto_.freebind().value(), at.child("socket_options"))
                                          : out_.options);
    }
    return std::move(out_);
  }

 private:
  void addExtra(const SocketAddress& proto, const Context& context, std::vector<SocketOption> options) {
    if (!proto_.has_source_address()) {
      return context.error("goes beside a source_address; put the first address there");
    }
    addSource(proto, context, std::move(options));
  }

  void addSource(const SocketAddress& proto, const Context& context, std::vector<SocketOption> options) {
    const std::optional<net::Address> address =
        net::Address::fromIp(proto.address(), static_cast<uint16_t>(proto.port_value()));
    if (!address) return context.child("address").error(absl::StrCat("'", proto.address(), "' is not an IP address"));
    for (const ConnectOptions::Source& other : out_.sources) {
      if (other.address.family() != address->family()) continue;
      return context.child("address").error(absl::StrCat("there is a source address of this family, ",
                                                         other.address.toString(),
                                                         ", already; hosts of a family have one"));
    }
    if (address->port() != 0) {
      context.child("port_value")
          .warn("only one connection to a host is possible at a time; 0 leaves it to the system");
    }
    out_.sources.push_back({*address, std::move(options)});
  }

  const BindConfig& proto_;
  const Context& context_;
  ConnectOptions out_;
};

}  // namespace

ConnectOptions compileConnectOptions(const envoy::config::cluster::v3::Cluster& cluster, const Context& context,
                                     const Services& services) {
  ConnectOptions out;
  if (cluster.has_upstream_bind_config()) {
    out = BindCompiler(cluster.upstream_bind_config(), context.child("upstream_bind_config")).compile();
  } else if (services.upstream_bind != nullptr) {
    out = *services.upstream_bind;
  }
  if (cluster.upstream_connection_options().has_tcp_keepalive()) {
    const TcpKeepalive& keepalive = cluster.upstream_connection_options().tcp_keepalive();
    checkKeepalive(keepalive, context.child("upstream_connection_options").child("tcp_keepalive"));
    addKeepalive(keepalive, out.keepalive);
  }
  return out;
}

net::FamilyOrder compileFamilyOrder(const envoy::config::cluster::v3::Cluster& cluster, const Context& context) {
  using Options = envoy::config::cluster::v3::UpstreamConnectionOptions;
  using Family = net::Address::Family;
  const auto& proto = cluster.upstream_connection_options().happy_eyeballs_config();
  const Context at = context.child("upstream_connection_options").child("happy_eyeballs_config");
  net::FamilyOrder out;
  switch (proto.first_address_family_version()) {
    case Options::DEFAULT:
      break;
    case Options::V4:
      out.first = Family::kIpv4;
      break;
    case Options::V6:
      out.first = Family::kIpv6;
      break;
    case Options::PIPE:
      out.first = Family::kUnix;
      break;
    default:
      at.child("first_address_family_version").error("no host has such an address; use DEFAULT, V4, V6 or PIPE");
  }
  if (!proto.has_first_address_family_count()) return out;
  out.first_count = proto.first_address_family_count().value();
  if (out.first_count == 0) at.child("first_address_family_count").error("must be 1 or more");
  return out;
}

std::shared_ptr<const ConnectOptions> compileUpstreamBind(const envoy::config::bootstrap::v3::Bootstrap& bootstrap,
                                                          const Context& context) {
  if (!bootstrap.cluster_manager().has_upstream_bind_config()) return nullptr;
  const Context at = context.child("cluster_manager").child("upstream_bind_config");
  return std::make_shared<const ConnectOptions>(
      BindCompiler(bootstrap.cluster_manager().upstream_bind_config(), at).compile());
}

}  // namespace sluice::config
