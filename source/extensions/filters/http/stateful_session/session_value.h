// What a session says: the address of its host, and in cookies until when it holds.
//
// A cookie is the base64 form of a protobuf message, {string address = 1; uint64 expires = 2} with Unix seconds, as
// Envoy makes it; an address alone, as older ones made it, is understood. Headers hold the latter.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::extensions::http_filters::stateful_session {

struct SessionValue {
  std::string address;  // "10.0.0.1:80"
  // Since 1970; nullopt: for ever.
  std::optional<std::chrono::seconds> expires;
};

// nullopt: it is none, or its address is no IP address with a port.
std::optional<SessionValue> decodeSession(std::string_view text);

// The address that a base64 text is; empty: it is no IP address with a port.
std::string addressOf(std::string_view base64);

std::string encodeCookie(const SessionValue& value);
std::string encodeHeader(std::string_view address);

}  // namespace sluice::extensions::http_filters::stateful_session
