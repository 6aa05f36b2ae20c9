// What authorization services are told of a connection, whether of requests or of connections they decide, as the
// message AttributeContext. Templates: the message is the includer's.
// (proto: envoy.service.auth.v3.AttributeContext)
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "source/base/host_port.h"
#include "source/base/utf8.h"
#include "source/filter/metadata_struct.h"
#include "source/stream/stream_info.h"

namespace sluice::filter {

// What is told beside addresses and principals.
struct ConnectionTold {
  bool peer_certificate = false;
  bool tls_session = false;
  std::vector<std::string> namespaces = {};  // of the dynamic metadata
};

// "1.2.3.4:80", "[::1]:80", the path of a socket, or the name of an internal listener.
template <typename Address>
void writeAddress(std::string_view text, Address& address) {
  constexpr std::string_view kInternal = "envoy://";
  if (text.starts_with(kInternal)) {
    const std::string_view both = text.substr(kInternal.size());
    const size_t slash = std::min(both.find('/'), both.size());
    address.mutable_envoy_internal_address()->set_server_listener_name(base::asUtf8(both.substr(0, slash)));
    address.mutable_envoy_internal_address()->set_endpoint_id(
        base::asUtf8(both.substr(std::min(slash + 1, both.size()))));
    return;
  }
  const base::HostPort parts = base::splitHostPort(text);
  if (base::isAddressWithoutPort(text) || !parts.has_port) {
    address.mutable_pipe()->set_path(base::asUtf8(text));
    return;
  }
  uint32_t port = 0;
  std::from_chars(parts.port.data(), parts.port.data() + parts.port.size(), port);
  address.mutable_socket_address()->set_address(std::string(parts.bareHost()));
  address.mutable_socket_address()->set_port_value(port);
}

// What stands in `by_filter` (null: nothing) under these names. `metadata()` is the message, asked for where something
// does.
template <typename Metadata>
void writeNamespaces(const stream::MetadataFields* by_filter, const std::vector<std::string>& names,
                     Metadata metadata) {
  for (const std::string& name : names) {
    const stream::MetadataFields* fields = stream::fieldsUnder(by_filter, name);
    if (fields != nullptr) writeStruct(*fields, (*metadata()->mutable_filter_metadata())[name]);
  }
}

template <typename Attributes>
void writeConnection(const stream::StreamInfo& info, const ConnectionTold& told, Attributes& attributes) {
  writeAddress(info.downstream_remote_address, *attributes.mutable_source()->mutable_address());
  writeAddress(info.downstream_local_address, *attributes.mutable_destination()->mutable_address());
  if (info.dynamic_metadata != nullptr) {
    writeNamespaces(&info.dynamic_metadata->fields(), told.namespaces,
                    [&] { return attributes.mutable_metadata_context(); });
  }
  const net::TlsInfo* tls = info.downstreamTls();
  if (tls == nullptr) return;
  attributes.mutable_source()->set_principal(base::asUtf8(tls->peer.principal()));
  attributes.mutable_destination()->set_principal(base::asUtf8(tls->local.principal()));
  if (told.peer_certificate) attributes.mutable_source()->set_certificate(tls->peer.pem);
  if (told.tls_session && !tls->server_name.empty())
    attributes.mutable_tls_session()->set_sni(base::asUtf8(tls->server_name));
}

}  // namespace sluice::filter
