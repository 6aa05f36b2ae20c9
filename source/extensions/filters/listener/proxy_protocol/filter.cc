#include "source/extensions/filters/listener/proxy_protocol/filter.h"

#include <algorithm>
#include <memory>

#include "absl/strings/escaping.h"
#include "source/base/text.h"
#include "source/base/utf8.h"

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
  if (!settings_.rules.empty() || settings_.kept.any()) keepTlvs(header, accepted);
  return {Verdict::kDone, header.size};
}

void Filter::keepTlvs(const Header& header, filter::Accepted& accepted) const {
  net::ProxyTlvs kept;
  for (const Header::Tlv& tlv : header.tlvs) {
    if (settings_.kept[tlv.type]) kept.push_back({tlv.type, std::string(tlv.value)});
    for (const TlvRule& rule : settings_.rules) {
      if (rule.type != tlv.type) continue;
      std::string value = rule.base64 ? absl::Base64Escape(base::toAbsl(tlv.value)) : base::asUtf8(tlv.value);
      stream::madeIn(accepted.state).metadata.set(rule.space, rule.key, {std::move(value)});
    }
  }
  if (kept.empty()) return;
  stream::madeIn(accepted.state).tlvs = std::make_shared<const net::ProxyTlvs>(std::move(kept));
}

}  // namespace sluice::extensions::listener_filters::proxy_protocol
