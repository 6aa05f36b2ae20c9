#include "source/extensions/filters/listener/proxy_protocol/filter.h"

#include <algorithm>

namespace sluice::extensions::listener_filters::proxy_protocol {

// Without a single byte of it: a client that waits for the server to speak first is not held up.
bool Filter::skips(const filter::Accepted& accepted, observability::StatsCells& cells) const {
  if (!settings_.only_trusted || net::anyContains(settings_.trusted, accepted.direct_remote)) return false;
  cells.add(settings_.untrusted);
  return true;
}

filter::ListenerFilter::Result Filter::inspect(std::string_view bytes, filter::Accepted& accepted,
                                               observability::StatsCells& cells) const {
  Header header;
  const char* reason = nullptr;
  switch (parseHeader(bytes, header, reason)) {
    case Outcome::kNeedMore:
      return {Verdict::kMore};
    case Outcome::kAbsent:
      cells.add(settings_.allow_without ? settings_.not_found_allowed : settings_.not_found_disallowed);
      return {settings_.allow_without ? Verdict::kDone : Verdict::kClose};
    case Outcome::kMalformed:
      cells.add(settings_.malformed[header.version]);
      return {Verdict::kClose};
    case Outcome::kFound:
      break;
  }
  if (settings_.disallowed[header.version]) {
    cells.add(settings_.refused[header.version]);
    return {Verdict::kClose};
  }
  cells.add(settings_.found[header.version]);
  if (header.source) {
    accepted.remote = header.source;
    accepted.local = header.destination;
  }
  return {Verdict::kDone, header.size};
}

}  // namespace sluice::extensions::listener_filters::proxy_protocol
