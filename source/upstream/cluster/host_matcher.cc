#include "source/upstream/cluster/host_matcher.h"

#include <algorithm>

namespace sluice::upstream::cluster {

namespace {

bool standsFor(const Endpoint& endpoint, const Host& host) {
  return host.address() == endpoint.address && host.hostname() == endpoint.hostname &&
         host.metadata().identity() == endpoint.metadata.identity();
}

}  // namespace

const HostPtr* HostMatcher::taken(size_t entry) {
  next_ = entry + 1;
  missed_ = 0;
  return &hosts_.entries()[entry].host;
}

const HostPtr* HostMatcher::find(const Endpoint& endpoint) {
  const auto entries = hosts_.entries();
  // As many as came may have left.
  for (const size_t at : {next_, next_ + missed_}) {
    if (at < entries.size() && standsFor(endpoint, *entries[at].host)) return taken(at);
  }
  const HostPtr* const host = hosts_.roster().find(identityOf(endpoint));
  if (host == nullptr) {
    ++missed_;
    return nullptr;
  }
  const size_t end = std::min(entries.size(), next_ + kAhead);
  for (size_t at = next_; at < end; ++at) {
    if (entries[at].host == *host) return taken(at);
  }
  return host;
}

std::vector<const HostPtr*> hostsOf(const Assignment& assignment, const HostSet* hosts) {
  size_t endpoints = 0;
  for (const LocalityEndpoints& locality : assignment.localities) endpoints += locality.endpoints.size();
  std::vector<const HostPtr*> out;
  out.reserve(endpoints);
  std::optional<HostMatcher> matcher;
  if (hosts != nullptr) matcher.emplace(*hosts);
  for (const LocalityEndpoints& locality : assignment.localities) {
    for (const Endpoint& endpoint : locality.endpoints) {
      if (endpoint.address) out.push_back(matcher ? matcher->find(endpoint) : nullptr);
    }
  }
  return out;
}

}  // namespace sluice::upstream::cluster
