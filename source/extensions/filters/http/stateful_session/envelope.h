// A header in which a host keeps its own session, with the host's address in front of it: base64 of the address,
// ";UV:", base64 of what the host said, as Envoy makes it. Parts of other kinds, ";" between them, are passed over.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::extensions::http_filters::stateful_session {

struct Envelope {
  std::string address;  // "10.0.0.1:80"; empty: it is no IP address with a port
  std::string value;    // of the host's header; not empty, and may stand in one
};

// nullopt: it is none, or its value may not stand in a header.
std::optional<Envelope> openEnvelope(std::string_view text);

std::string sealEnvelope(std::string_view address, std::string_view value);

}  // namespace sluice::extensions::http_filters::stateful_session
