#include "source/extensions/matching/inputs/ssl/inputs.h"

#include <string>
#include <vector>

#include "source/stream/stream_info.h"

namespace sluice::extensions::matching::inputs::ssl {
namespace {

// Null: there is none.
const net::TlsInfo::Certificate* certificateOf(const Data& data) {
  const net::TlsInfo* const tls = data.info == nullptr ? nullptr : data.info->downstreamTls();
  return tls != nullptr && tls->peer_presented ? &tls->peer : nullptr;
}

Value joined(const std::vector<std::string>& names, Scratch& scratch) {
  if (names.empty()) return {};
  if (names.size() == 1) return {.text = names[0]};
  scratch = names[0];
  for (size_t i = 1; i < names.size(); ++i) scratch.append(",").append(names[i]);
  return {.text = scratch};
}

}  // namespace

Value UriSan::get(const Data& data, Scratch& scratch) const {
  const auto* certificate = certificateOf(data);
  return certificate == nullptr ? Value{} : joined(certificate->uri_sans, scratch);
}

Value DnsSan::get(const Data& data, Scratch& scratch) const {
  const auto* certificate = certificateOf(data);
  return certificate == nullptr ? Value{} : joined(certificate->dns_sans, scratch);
}

Value Subject::get(const Data& data, Scratch&) const {
  const auto* certificate = certificateOf(data);
  return certificate == nullptr || certificate->subject.empty() ? Value{} : Value{.text = certificate->subject};
}

}  // namespace sluice::extensions::matching::inputs::ssl
