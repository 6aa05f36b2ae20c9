// Connections of this worker to listeners of its own: a pair of sockets, of which the listener gets one as if it had
// accepted it.
#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "source/listener/listener.h"

namespace sluice::listener {
namespace {

absl::StatusOr<std::pair<net::Fd, net::Fd>> makePair(int buffer) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::ResourceExhaustedError("no file descriptors left for connections");
  }
  for (const int end : ends) setsockopt(end, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
  return std::pair(net::Fd(ends[0]), net::Fd(ends[1]));
}

}  // namespace

absl::StatusOr<net::Fd> WorkerListeners::connectTo(const net::Address& address, uint8_t hops,
                                                   stream::ConnectionStatePtr handed_over) {
  const std::shared_ptr<const ListenerConfig> config = configOf(std::string(address.listenerName()));
  if (config == nullptr || !config->internal) {
    return absl::NotFoundError(
        absl::StrCat("there is no internal listener '", std::string(address.listenerName()), "'"));
  }
  if (hops >= kMostHops) {
    return absl::FailedPreconditionError(absl::StrCat("internal listener '", config->name, "' leads to itself: ", hops,
                                                      " internal listeners were passed on the way to it"));
  }
  filter::Accepted accepted;
  accepted.internal_hops = hops + 1;
  if (!count(*config, accepted.counted)) {
    return absl::UnavailableError(absl::StrCat("internal listener '", config->name, "' is at a limit of connections"));
  }
  absl::StatusOr<std::pair<net::Fd, net::Fd>> ends = makePair(internal_buffer_);
  if (!ends.ok()) return ends.status();
  if (ends->second.get() >= descriptors_->end) {
    worker_.cells.add(config->stats.cx_overflow);
    return absl::ResourceExhaustedError("no file descriptors left for connections");
  }
  static const net::Address kClient = *net::Address::ofListener("internal_client_address");
  accepted.fd = std::move(ends->second);
  accepted.remote = accepted.direct_remote = kClient;
  accepted.local = accepted.direct_local = address;
  accepted.state = std::move(handed_over);
  arriving_.emplace_back(config, std::move(accepted));
  worker_.loop.atTurnEnd(*this);
  return std::move(ends->first);
}

void WorkerListeners::runAtTurnEnd() {
  for (auto& [config, connection] : std::exchange(arriving_, {})) {
    if (config->balance && passOn(config, connection)) continue;
    take(config, std::move(connection));
  }
}

}  // namespace sluice::listener
