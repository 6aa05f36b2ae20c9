#include "source/net/socket_source.h"

#include <unistd.h>

#include <utility>

namespace sluice::net {

absl::StatusOr<TakenSocket> OpenedSockets::take(const SocketRequest& request) {
  const Address& address = request.address;
  if (request.shares_with_ours) {
    // The file is of the socket that goes.
    if (address.isUnix() && request.worker == 0) unlink(address.toString().c_str());
  } else if (request.worker == 0) {
    if (absl::Status free = probeFree(address, request.options); !free.ok()) return free;
  }
  absl::StatusOr<Fd> fd = prepareListening(address, request.options);
  if (!fd.ok()) return fd.status();
  return TakenSocket{*std::move(fd)};
}

}  // namespace sluice::net
