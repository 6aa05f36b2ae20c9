// Reads a TLS ClientHello from the first bytes of a connection, without TLS state and without answering: for the
// listener's tls_inspector. Pure and bounds-checked; the input is untrusted.
//
// The message may be split over several records and over any number of reads (RFC 8446, 5.1): call again with all bytes
// so far when more have come. What is not plainly a ClientHello is kNotTls, never a guess.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::tls {

struct ClientHello {
  std::string server_name;         // SNI (RFC 6066, 3) in lower case without a trailing dot; empty: none
  std::vector<std::string> alpn;   // RFC 7301, in the client's order
  std::vector<uint16_t> versions;  // offered: supported_versions without GREASE, else legacy_version alone
  uint16_t legacy_version = 0;     // 0x0303: TLS 1.2
};

enum class SniffResult : uint8_t { kNeedMore, kNotTls, kFound };

// Bytes of a ClientHello that are accepted at most, record headers included. (Envoy: tls_inspector's 64 KiB)
constexpr size_t kMaxClientHello = 64 * 1024;

// Protocols that one may offer; a list of more is malformed. Connections keep them, and each takes more than its bytes.
constexpr size_t kMaxProtocols = 100;

// `bytes`: everything received so far, from the first byte on. `hello` is written only with kFound. kNeedMore is never
// returned for kMaxClientHello bytes or more. `reason`, if not null, tells in words why it is kNotTls (static text).
// `body`, if not null, gets the message without record and message headers with kFound (tls/fingerprint.h).
SniffResult sniffClientHello(std::string_view bytes, ClientHello& hello, const char** reason = nullptr,
                             std::string* body = nullptr);

}  // namespace sluice::tls
