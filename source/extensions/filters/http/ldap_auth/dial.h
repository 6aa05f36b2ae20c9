// TCP connections to servers, made by threads that may wait, which another thread may end.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "source/event/timer.h"

namespace sluice::extensions::http_filters::ldap_auth {

// The sockets that are open. Thread: any.
class OpenSockets {
 public:
  // False: stopped.
  bool add(int fd);
  // Before it is closed.
  void remove(int fd);
  // Shuts all of them down, which wakes who waits for one.
  void stop();
  bool stopped() const;

 private:
  mutable std::mutex mutex_;
  absl::flat_hash_set<int> fds_;
  bool stopped_ = false;
};

// A socket that does not block and stands in `sockets`. `host`: a name, which the system's resolver looks up in its own
// time, or an IP address without brackets. Each of its addresses is tried for its share of what is left until
// `deadline`.
absl::StatusOr<int> dial(const std::string& host, uint16_t port, event::TimePoint deadline, OpenSockets& sockets);
void hangUp(int fd, OpenSockets& sockets);

// Waits for `events` of poll() or for an error, which what is tried next tells. False: the time is over.
bool waitForSocket(int fd, short events, event::TimePoint deadline);

}  // namespace sluice::extensions::http_filters::ldap_auth
