// Which TLVs of the PROXY protocol are passed on. Thread: main. Run after validate().
#pragma once

#include "envoy/config/core/v3/proxy_protocol.pb.h"
#include "source/net/proxy_tlv.h"

namespace sluice::config {

// Never the checksum.
inline net::TlvTypes compileTlvTypes(const envoy::config::core::v3::ProxyProtocolPassThroughTLVs& proto) {
  using Proto = envoy::config::core::v3::ProxyProtocolPassThroughTLVs;
  net::TlvTypes out;
  if (proto.match_type() == Proto::INCLUDE_ALL) out.set();
  for (const uint32_t type : proto.tlv_type()) out.set(type);
  out.reset(net::kTlvCrc32c);
  return out;
}

}  // namespace sluice::config
