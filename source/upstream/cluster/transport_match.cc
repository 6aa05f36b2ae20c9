#include "source/upstream/cluster/transport_match.h"

#include <algorithm>

namespace sluice::upstream::cluster {

bool TransportMatch::fits(const stream::FixedMetadata& host) const {
  return stream::hasAll(stream::fieldsUnder(host.fields(), kTransportMetadata), wanted, stream::Lists::kOneValue);
}

const TransportMatch* TransportMatches::find(const stream::FixedMetadata& host) const {
  const auto found = std::find_if(list.begin(), list.end(), [&host](const auto& match) { return match.fits(host); });
  return found == list.end() ? nullptr : &*found;
}

bool TransportMatches::anyTransport() const {
  return std::any_of(list.begin(), list.end(), [](const auto& match) { return match.transport != nullptr; });
}

}  // namespace sluice::upstream::cluster
