// Listener filters: what looks at the first bytes of an accepted connection, before its filter chain is chosen.
//
// A filter is a function of the bytes that have come so far: it keeps nothing of a connection, so connections that wait
// for more bytes cost next to nothing. The bytes stay in the socket for whoever serves the connection, but for those
// that a filter says it consumed. Immutable, shared by all workers; bytes are untrusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "source/filter/network.h"
#include "source/observability/stats.h"
#include "source/worker/exchanged.h"

namespace sluice::filter {

class ListenerFilter {
 public:
  virtual ~ListenerFilter() = default;

  enum class Verdict : uint8_t {
    kDone,   // the next filter's turn
    kMore,   // call again when there are more bytes than now
    kClose,  // the connection is not to be served
  };
  struct Result {
    Verdict verdict;
    size_t consumed = 0;  // with kDone: first bytes that nobody after this filter shall see
  };

  // The largest number of first bytes that it ever has to see, at most 64 KiB. 0: none; it is called once, at once.
  virtual size_t window() const = 0;
  // Whether a connection is none of its business, before any byte has come.
  virtual bool skips(const Accepted&, observability::StatsCells&) const { return false; }
  // `bytes`: all that have come so far, up to window(), which is when kMore may not be said any more.
  virtual Result inspect(std::string_view bytes, Accepted& accepted, observability::StatsCells& cells) const = 0;
};

// One whose configuration comes, and changes, while its listener serves. Null: none has come. (proto:
// ExtensionConfigSource)
using ListenerFilterHolder = worker::Exchanged<ListenerFilter>;

}  // namespace sluice::filter
