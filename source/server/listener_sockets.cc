// The sockets of listeners: which are kept, shared or taken anew when a generation comes, and when they begin to
// listen.
#include <fcntl.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "source/server/listener_change.h"
#include "source/server/listener_manager.h"

namespace sluice::server {

net::ListenOptions ListenerManager::optionsOf(const config::CompiledListener& compiled, const net::Address& address) {
  net::ListenOptions options{.datagram = compiled.isUdp(),
                             .backlog = compiled.backlog,
                             .mptcp = compiled.mptcp,
                             .reuse_port = compiled.reuse_port,
                             .options = compiled.socket_options};
  for (const auto& [path, mode] : compiled.unix_modes) {
    if (path == address) options.unix_mode = mode;
  }
  return options;
}

// One socket for each worker and each address that the listener does not hold yet.
absl::StatusOr<ListenerManager::Pending> ListenerManager::openSockets(const Generation* before, Generation& next) {
  Pending opened;
  opened.sockets.resize(workers_.size());
  if (!next.compiled.bind) {
    next.bound = next.compiled.addresses;
    return opened;
  }
  for (const net::Address& wanted : next.compiled.addresses) {
    net::Address address = wanted;
    const SocketFate fate = socketFate(before != nullptr ? &before->compiled : nullptr, next.compiled, wanted);
    if (before != nullptr) {
      const auto& old = before->compiled.addresses;
      const auto same = std::find(old.begin(), old.end(), wanted);
      if (same != old.end()) address = before->bound[same - old.begin()];
    }
    if (fate == SocketFate::kKept) {
      next.bound.push_back(address);
      continue;
    }
    if (fate == SocketFate::kRefused) {
      return absl::FailedPreconditionError(
          absl::StrCat("how the socket of ", address.toString(),
                       " is made cannot change while it is in use, because two of them cannot be bound at once",
                       address.isUnix() ? "" : " without enable_reuse_port", "; remove the listener first"));
    }
    bool ours = fate == SocketFate::kExchanged;
    if (const std::optional<net::Address> bound =
            takePending(before, next.compiled.name, wanted, next.compiled.socket_hash, opened)) {
      next.bound.push_back(*bound);
      continue;
    }
    if (absl::Status other = checkOurs(next, address); !other.ok()) return other;
    // A listener that was removed a moment ago may still hold the address; its sockets share it until they are closed.
    const auto answering = answering_.find(address);
    ours |= next.compiled.isUdp() && answering != answering_.end() && main_.now() < answering->second;
    ours |= closing_.contains(address);
    if (absl::Status status = openAt(address, next, ours, opened); !status.ok()) return status;
    next.bound.push_back(address);
    opened.addresses.push_back(address);
  }
  return opened;
}

// Another listener of ours on the address is told as such; SO_REUSEPORT would let both bind.
absl::Status ListenerManager::checkOurs(const Generation& next, const net::Address& address) const {
  for (const auto& [name, entry] : entries_) {
    if (name == next.compiled.name) continue;
    for (const Generation* other : {entry.active.get(), entry.warming.get()}) {
      if (other == nullptr || address.port() == 0 || other->compiled.isUdp() != next.compiled.isUdp()) continue;
      if (std::find(other->bound.begin(), other->bound.end(), address) != other->bound.end()) {
        return absl::AlreadyExistsError(
            absl::StrCat("address in use: ", address.toString(), " belongs to listener '", name, "'"));
      }
    }
  }
  return absl::OkStatus();
}

// `address`: with port 0 it becomes the one that the kernel gave.
absl::Status ListenerManager::openAt(net::Address& address, const Generation& next, bool shares_with_ours,
                                     Pending& opened) const {
  const net::ListenOptions options = optionsOf(next.compiled, address);
  auto& sockets = opened.sockets;
  for (size_t i = 0; i < sockets.size(); ++i) {
    if (i > 0 && (address.isUnix() || !options.reuse_port)) {  // one socket, shared: the workers take turns
      const net::TakenSocket& first = sockets[0].back();
      net::Fd shared(fcntl(first.fd.get(), F_DUPFD_CLOEXEC, 0));
      if (!shared.valid()) return absl::ResourceExhaustedError("no descriptors left for listening sockets");
      sockets[i].push_back({std::move(shared), first.listening});
      continue;
    }
    absl::StatusOr<net::TakenSocket> taken = source_.take({address, i, options, shares_with_ours});
    if (!taken.ok()) return taken.status();
    if (address.isIp() && address.port() == 0) address = net::localAddress(taken->fd.get());
    sockets[i].push_back(*std::move(taken));
  }
  return absl::OkStatus();
}

// Sockets that the generation which waits has opened for the address are shared with the next one: if that is refused,
// the waiting one goes on. Gives the address that they are bound to.
std::optional<net::Address> ListenerManager::takePending(const Generation* active, const std::string& name,
                                                         const net::Address& wanted, uint64_t socket_hash,
                                                         Pending& out) const {
  const auto pending = sockets_.find(name);
  const auto known = entries_.find(name);
  if (pending == sockets_.end() || known == entries_.end() || !known->second.warming) return std::nullopt;
  const Generation& warming = *known->second.warming;
  if (warming.compiled.socket_hash != socket_hash) return std::nullopt;
  size_t opened = 0;  // how many of its addresses so far have sockets of their own
  for (size_t i = 0; i < warming.compiled.addresses.size(); ++i) {
    const net::Address& address = warming.compiled.addresses[i];
    if (active != nullptr) {
      const auto& old = active->compiled.addresses;
      if (active->compiled.socket_hash == socket_hash && std::find(old.begin(), old.end(), address) != old.end()) {
        continue;
      }
    }
    if (address == wanted) {
      for (size_t worker = 0; worker < out.sockets.size(); ++worker) {
        const net::TakenSocket& waiting = pending->second.sockets[worker][opened];
        out.sockets[worker].push_back({net::Fd(fcntl(waiting.fd.get(), F_DUPFD_CLOEXEC, 0)), waiting.listening});
      }
      out.addresses.push_back(warming.bound[i]);
      return warming.bound[i];
    }
    ++opened;
  }
  return std::nullopt;
}

// From here on the kernel takes connections and datagrams for it.
absl::Status ListenerManager::beginListening(const std::string& name, Generation& next) {
  const Pending& pending = sockets_[name];
  for (const std::vector<net::TakenSocket>& sockets : pending.sockets) {
    for (size_t i = 0; i < sockets.size(); ++i) {
      const net::Address& address = pending.addresses[i];
      const bool shared = &sockets != &pending.sockets[0] && (address.isUnix() || !next.compiled.reuse_port);
      if (shared || sockets[i].listening) continue;
      const absl::Status status = net::beginListening(sockets[i].fd.get(), address, optionsOf(next.compiled, address));
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace sluice::server
