#include "source/extensions/transport_sockets/proxy_protocol/transport.h"

namespace sluice::extensions::transport_sockets::proxy_protocol {

std::string HeaderTransportFactory::passedOn(const net::ProxyTlvs* tlvs) const {
  std::string out;
  if (tlvs == nullptr || passed_on_.none()) return out;
  for (const net::ProxyTlv& tlv : *tlvs) {
    const size_t size = 3 + tlv.value.size();
    if (passed_on_[tlv.type] && tlvs_.size() + out.size() + size <= kMaxTlvBytes) out += makeTlv(tlv.type, tlv.value);
  }
  return out;
}

}  // namespace sluice::extensions::transport_sockets::proxy_protocol
