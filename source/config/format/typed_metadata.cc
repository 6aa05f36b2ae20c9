#include "source/config/format/typed_metadata.h"

#include <optional>
#include <string>

#include "envoy/config/core/v3/address.pb.h"
#include "source/base/text.h"
#include "source/net/address.h"

namespace sluice::config {
namespace {

using envoy::config::core::v3::Address;

std::optional<net::Address> proxyIn(const google::protobuf::Any& any) {
  Address address;
  if (!any.UnpackTo(&address) || !address.has_socket_address()) return std::nullopt;
  const auto& ip = address.socket_address();
  return net::Address::fromIp(ip.address(), static_cast<uint16_t>(ip.port_value()));
}

}  // namespace

void checkTypedMetadata(const envoy::config::core::v3::Metadata& metadata, const Context& context) {
  for (const auto& [key, value] : metadata.typed_filter_metadata()) {
    const Context at = context.child(base::strCat("typed_filter_metadata[", key, "]"));
    if (key != stream::kProxyAddressMetadata) {
      if (std::string_view(key).substr(0, 6) != "envoy.") continue;
      at.error(
          "is for an extension of Envoy that does not read it here; without it something else would happen, so remove "
          "it, with what it is for");
    } else if (!proxyIn(value)) {
      at.error("is not the IP address and port of a proxy; give an envoy.config.core.v3.Address with a socket_address");
    }
  }
}

void addTypedMetadata(const envoy::config::core::v3::Metadata& metadata, stream::MetadataFields& by_filter) {
  for (const auto& [key, value] : metadata.typed_filter_metadata()) {
    if (key != stream::kProxyAddressMetadata) continue;
    const std::optional<net::Address> proxy = proxyIn(value);
    if (!proxy) continue;
    by_filter.push_back({key, {stream::MetadataFields{{"address", {proxy->toString()}}}}});
  }
}

}  // namespace sluice::config
