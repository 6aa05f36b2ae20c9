// Takes the client's address from the PROXY protocol header in front of its bytes.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "source/extensions/filters/listener/proxy_protocol/header.h"
#include "source/filter/listener_filter.h"
#include "source/net/cidr.h"
#include "source/net/proxy_tlv.h"

namespace sluice::extensions::listener_filters::proxy_protocol {

// A TLV that becomes dynamic metadata. (proto: ProxyProtocol.Rule)
struct TlvRule {
  uint8_t type = 0;
  std::string space, key;
  bool base64 = false;  // else as text, in which what is no UTF-8 is '!'
};

struct Settings {
  bool allow_without = false;  // a connection without header is served as it came
  bool disallowed[3] = {};     // by version
  std::vector<TlvRule> rules;
  net::TlvTypes kept;              // for connections to hosts
  std::vector<net::Cidr> trusted;  // with `only_trusted`: who may send a header
  bool only_trusted = false;       // others' bytes are not looked at: they are the client's own
  observability::Counter found[3], malformed[3], refused[3];  // by version
  observability::Counter not_found_allowed, not_found_disallowed, untrusted;
};

class Filter : public filter::ListenerFilter {
 public:
  explicit Filter(Settings settings) : settings_(std::move(settings)) {}

  size_t window() const override { return kMaxHeader; }
  Result inspect(std::string_view bytes, filter::Accepted& accepted, observability::StatsCells& cells) const override;
  bool skips(const filter::Accepted& accepted, observability::StatsCells& cells) const override;

 private:
  void keepTlvs(const Header& header, filter::Accepted& accepted) const;

  const Settings settings_;
};

}  // namespace sluice::extensions::listener_filters::proxy_protocol
