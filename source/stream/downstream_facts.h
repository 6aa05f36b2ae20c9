// What only formats ask of a client's connection. A part of whoever owns the connection, so it outlives its streams and
// their log entries. Thread: the worker of the connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::net {
class Connection;
}

namespace sluice::stream {

// Of the client's TLS library (tls/fingerprint.h); what was not asked for is empty. (proto: TlsInspector
// enable_ja3_fingerprinting, enable_ja4_fingerprinting)
struct TlsFingerprints {
  std::string ja3, ja4;
};

struct DownstreamFacts {
  enum class Close : uint8_t { kNone, kNormal, kLocalReset, kRemoteReset };  // kNone: it is not closed

  std::string_view remote_address;        // the client as PROXY protocol has it, whatever requests say, with port
  std::string_view direct_local_address;  // where it was accepted, with port
  std::unique_ptr<const TlsFingerprints> fingerprints;
  std::chrono::nanoseconds handshake{-1};       // from the start of the connection; negative: there was none so far
  const net::Connection* connection = nullptr;  // for what the kernel knows; null: nobody can be asked
  std::string_view local_close_reason;          // why it was closed here; empty: it was not
  Close close = Close::kNone;
  // The same of the one connection to a host that is for this one alone (tcp_proxy).
  Close upstream_close = Close::kNone;
  std::string_view upstream_local_close_reason;
};

}  // namespace sluice::stream
