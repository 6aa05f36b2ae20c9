#include "source/server/listener_change.h"

#include <algorithm>
#include <optional>

#include "source/listener/chain_pairs.h"

namespace sluice::server {
namespace {

using config::CompiledListener;

bool has(const CompiledListener& listener, const net::Address& address) {
  return std::find(listener.addresses.begin(), listener.addresses.end(), address) != listener.addresses.end();
}

// Of what leaves for TCP or for UDP, nothing is taken over.
std::vector<size_t> drainedChains(const CompiledListener& before, const CompiledListener& next) {
  std::vector<bool> goes_on(before.chains.size());
  if (!next.isUdp()) {
    for (const std::optional<size_t>& same : listener::pairChains(before.chains, next.chains)) {
      if (same) goes_on[*same] = true;
    }
  }
  std::vector<size_t> out;
  for (size_t i = 0; i < goes_on.size(); ++i) {
    if (!goes_on[i]) out.push_back(i);
  }
  return out;
}

}  // namespace

SocketFate socketFate(const CompiledListener* before, const CompiledListener& next, const net::Address& address) {
  if (before == nullptr || !has(*before, address)) return SocketFate::kOpened;
  if (before->socket_hash == next.socket_hash) return SocketFate::kKept;
  if (!before->bind || before->isUdp() != next.isUdp()) return SocketFate::kOpened;
  const bool abstract = address.isUnix() && address.toString().front() == '@';
  const bool exclusive = address.isIp() && !(before->reuse_port && next.reuse_port);
  return abstract || exclusive ? SocketFate::kRefused : SocketFate::kExchanged;
}

ListenerChange compareListeners(const CompiledListener& before, const CompiledListener& next) {
  ListenerChange out;
  out.same = before.content_hash == next.content_hash;
  if (out.same) return out;
  for (const net::Address& address : next.bind ? next.addresses : std::vector<net::Address>()) {
    const SocketFate fate = socketFate(&before, next, address);
    out.refused |= fate == SocketFate::kRefused;
    out.sockets.emplace_back(address, fate);
  }
  const bool other_protocol = before.isUdp() != next.isUdp();
  for (const net::Address& address : before.bind ? before.addresses : std::vector<net::Address>()) {
    if (!next.bind || other_protocol || !has(next, address)) out.closed.push_back(address);
  }
  out.drained = drainedChains(before, next);
  // Sessions answer from the address that they came to.
  out.sessions_drain = before.isUdp() && (before.udp.filter_hash != next.udp.filter_hash || !out.closed.empty());
  return out;
}

}  // namespace sluice::server
