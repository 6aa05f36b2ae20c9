// Network filters: what serves an accepted connection.
//
// A filter chain ends in a terminal filter that owns the connection: the HTTP connection manager today.
#pragma once

#include <string_view>

#include "source/base/intrusive_list.h"
#include "source/net/address.h"
#include "source/net/socket.h"

namespace sluice::session {
class SessionWorker;
}

namespace sluice::filter {

// A downstream connection as its listener sees it. It owns itself and leaves the listener's list at its end.
class LiveConnection : public base::ListNode {
 public:
  virtual ~LiveConnection() = default;
  // Take on no new work after what is next; say so to the peer where the protocol can. Never cuts anything.
  virtual void drain() = 0;
  // Ends it now. True if that cut a request (or a stream of bytes) short.
  virtual bool closeNow(std::string_view details) = 0;
};

// The worker's services for terminal filters.
struct NetworkServices {
  session::SessionWorker& sessions;
};

// The terminal filter of a chain, compiled. Immutable, shared by all workers.
class TerminalNetworkFilter {
 public:
  virtual ~TerminalNetworkFilter() = default;
  // Takes the connection over and puts it into `list`.
  virtual void serve(net::Fd fd, const net::Address& remote, const net::Address& local, NetworkServices& services,
                     base::List<LiveConnection>& list) const = 0;
};

}  // namespace sluice::filter
