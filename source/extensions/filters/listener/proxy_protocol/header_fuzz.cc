// Any bytes: a header that is found lies within them, and one byte less is never enough.
#include <cstdlib>

#include "source/extensions/filters/listener/proxy_protocol/header.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::extensions::listener_filters::proxy_protocol;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const char* reason = nullptr;
  Header header;
  const Outcome outcome = parseHeader(bytes, header, reason);
  if (outcome == Outcome::kNeedMore && size >= kMaxHeader) std::abort();
  if (outcome == Outcome::kMalformed && (reason == nullptr || header.version == 0)) std::abort();
  if (outcome != Outcome::kFound) return 0;
  if (header.size > size || header.size == 0 ||
      static_cast<bool>(header.source) != static_cast<bool>(header.destination)) {
    std::abort();
  }
  for (const Header::Tlv& tlv : header.tlvs) {
    if (tlv.value.data() < bytes.data() || tlv.value.data() + tlv.value.size() > bytes.data() + header.size)
      std::abort();
  }
  Header part;
  if (parseHeader(bytes.substr(0, header.size), part, reason) != Outcome::kFound || part.size != header.size)
    std::abort();
  if (parseHeader(bytes.substr(0, header.size - 1), part, reason) != Outcome::kNeedMore) std::abort();
  return 0;
}
