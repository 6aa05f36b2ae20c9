#include "source/extensions/filters/listener/original_dst/filter.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <variant>

#include "source/stream/object_types.h"

namespace sluice::extensions::listener_filters::original_dst {
namespace {

// linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h, which do not go together with netinet/in.h.
constexpr int kOriginalDestination = 80;

// IP addresses only.
std::optional<net::Address> addressOf(std::string_view text) {
  const absl::StatusOr<net::Address> address = net::Address::parse(text);
  return address.ok() && address->isIp() ? std::optional(*address) : std::nullopt;
}

std::optional<net::Address> addressIn(const stream::FilterState& state, std::string_view name) {
  const auto* object = state.get<stream::FilterState::Object>(name);
  return object == nullptr ? std::nullopt : addressOf(object->text());
}

std::optional<net::Address> localIn(const stream::DynamicMetadata& metadata) {
  const stream::MetadataValue* value = metadata.find("envoy.filters.listener.original_dst", {"local"});
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(&value->value);
  return text == nullptr ? std::nullopt : addressOf(*text);
}

}  // namespace

void takeHandedOver(filter::Accepted& accepted) {
  if (!accepted.state) return;
  const stream::FilterState& state = accepted.state->filter_state;
  std::optional<net::Address> local = addressIn(state, stream::kOriginalLocalState);
  if (!local) local = localIn(accepted.state->metadata);
  if (local) accepted.local = *local;
  if (const auto remote = addressIn(state, stream::kOriginalRemoteState)) accepted.remote = *remote;
}

net::Address originalDestination(int fd, net::Address::Family family) {
  sockaddr_in6 storage{};
  const bool v6 = family == net::Address::Family::kIpv6;
  // The kernel leaves the length as it is.
  socklen_t length = v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, kOriginalDestination, &storage, &length) != 0) return {};
  return net::Address::fromSockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
}

}  // namespace sluice::extensions::listener_filters::original_dst
