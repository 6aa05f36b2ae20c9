// What stands between a Connection and its socket: nothing (plain TCP), a security layer such as TLS, or filters that
// see bytes (filter/byte_stage.h) above one of the two.
//
// A transport serves one connection, is driven by it, and does the socket calls itself, because only it knows how many
// of its bytes make one of the peer's. It never blocks. Thread: the worker's.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/net/address.h"
#include "source/net/proxy_tlv.h"

namespace sluice::observability {
class StatsCells;
}

namespace sluice::stream {
struct ConnectionState;
class FilterState;
class FixedMetadata;
}  // namespace sluice::stream

namespace sluice::net {

class Connection;
struct BorrowedSource;

struct WorkerBuffers;

// What a TLS connection is, for formatters, XFCC and authorisation. (Envoy: ConnectionInfo of a TLS transport socket)
struct TlsInfo {
  struct Certificate {
    std::string subject, issuer;  // RFC 2253
    std::string serial;           // hexadecimal, lower case
    std::string sha256, sha1;     // of the DER form; hexadecimal, lower case
    std::string pem;              // URL-encoded PEM, and with the rest of the chain behind it
    std::string chain_pem;
    std::vector<std::string> uri_sans, dns_sans, ip_sans, email_sans, other_sans;
    std::vector<std::string> other_san_oids;  // types of other_sans, in that order
    // Of all certificates that came, the leaf first; as the leaf's above.
    std::vector<std::string> chain_sha256, chain_sha1, chain_serials;
    int64_t valid_from = 0, valid_to = 0;  // seconds since the epoch

    // Whom it names, for people and policies: its URI name, else its DNS name, else its subject.
    std::string_view principal() const {
      if (!uri_sans.empty()) return uri_sans.front();
      return dns_sans.empty() ? subject : dns_sans.front();
    }
  };
  std::string version;      // "TLSv1.3"
  std::string cipher;       // "TLS_AES_128_GCM_SHA256"
  std::string group;        // of the key agreement, "X25519"; empty: none (a resumed session of TLS 1.2)
  std::string server_name;  // SNI, in lower case
  std::string application_protocol;
  std::string session_id;  // hexadecimal
  bool resumed = false;
  bool peer_presented = false;
  bool peer_validated = false;  // against the configured authority; false too if none is configured
  Certificate peer;             // empty fields unless peer_presented
  // Of the certificate that signed the peer's in the chain that was verified, as above; empty: there was none.
  std::string peer_issuer_sha256, peer_issuer_serial;
  Certificate local;

  // What a filter has made of all that, for the connection's next request: whoever reads it knows its own by its type.
  // Thread: the connection's worker.
  struct Finding {
    virtual ~Finding() = default;
  };
  mutable std::shared_ptr<const Finding> finding;
};

class Transport {
 public:
  virtual ~Transport() = default;

  struct Io {
    int fd;
    WorkerBuffers& buffers;  // scratch space that lives for the call only
  };
  enum class Status : uint8_t {
    kDone,
    kWantRead,   // nothing more until the socket is readable again
    kWantWrite,  // the socket takes no more now
    kHeld,       // nothing until the transport says so (Connection::transportReady), whatever the socket has
    kEnd,        // the peer ended its side properly
    kTruncated,  // the peer's FIN came without the transport's own end
    kFailed,     // broken; failure() or errno of the socket call tells why
  };
  struct Result {
    Status status;
    size_t bytes = 0;
    // read(), kDone: the socket is empty as far as a short read tells, and nothing is held: no need to call again
    // before the socket's next event, unless the peer's FIN may have come.
    bool drained = false;
  };

  // The connection that drives it from now on: once, before all else. It outlives the transport.
  virtual void attach(Connection&) {}
  // Repeated until kDone. What it sends is on its way when it returns kWantRead. kHeld: the peer's part is done.
  virtual Status handshake(const Io& io) = 0;
  // Up to `size` bytes for the owner. kDone: `bytes` of them (at least 1), and there may be more without any further
  // event of the socket; kWantRead: none, and the socket is empty; kHeld: none, and none is read meanwhile.
  virtual Result read(const Io& io, char* to, size_t size) = 0;
  // Takes bytes in order. kDone: all of them are sent; kWantWrite: `bytes` of them were taken and the socket is full:
  // call again when it is writable (with nothing too: the transport may hold bytes of its own). Bytes that were not
  // taken may lie elsewhere at the next call.
  virtual Result write(const Io& io, const iovec* vectors, int count) = 0;
  // Tells the peer that no more will come. Further calls do nothing. What the socket does not take at once is sent by
  // the next write(), of nothing too.
  virtual void sendEnd(const Io& io) = 0;
  // Bytes from the socket that read() has not given out yet, or an end of it.
  virtual bool holdsInput() const { return false; }
  // The peer's bytes are secured on their way (TLS), once the handshake is over.
  virtual bool secure() const { return true; }
  // Nothing was going on for a while: what a busy connection is allowed begins anew.
  virtual void idle() {}

  // errno of the socket call that failed; 0 if it was not the socket.
  virtual int socketError() const { return 0; }
  // Why the handshake or the connection failed, in words; valid as long as the transport.
  virtual std::string_view failure() const { return {}; }
  // The agreed application protocol (ALPN), "h2"; empty: none. Valid after the handshake.
  virtual std::string_view applicationProtocol() const { return {}; }
  // SNI in lower case, whatever the client wrote: rules compare it with the names of configurations. Empty: none.
  virtual std::string_view serverName() const { return {}; }
  // Made at the first call after the handshake, kept as long as the transport. Null: this is not TLS.
  virtual const TlsInfo* tlsInfo() { return nullptr; }
};

using TransportPtr = std::unique_ptr<Transport>;

// Makes the transport of each connection: a compiled `transport_socket`; a null factory is a plain socket. Immutable or
// internally synchronised, shared by all workers.
class TransportFactory {
 public:
  virtual ~TransportFactory() = default;

  // What the owner of an upstream connection asks for beyond the configuration; views live for the call.
  struct Options {
    std::string_view server_name;  // auto_sni: instead of a configured sni
    std::string_view verify_san;   // auto_san_validation: a DNS name (or IP address) that must be in the certificate
    const std::vector<std::string>* alpn = nullptr;  // instead of the configured protocols, if those are empty
    bool alpn_first = false;                         // `alpn`, whatever is configured
    std::string_view session_key;                    // connections with equal keys may resume each other's sessions
    // The one downstream connection that this connection is for, which PROXY protocol tells the host; null: none.
    const Address* client = nullptr;  // where it comes from
    const Address* target = nullptr;  // where it wanted to go
    uint8_t internal_hops = 0;        // how many internal listeners what it is made for came through
    const ProxyTlvs* tlvs = nullptr;  // of its own PROXY header, as far as they are kept; null: none
    // The address from which to connect, instead of one of the proxy's; null: one of those.
    const BorrowedSource* source = nullptr;
    // What the downstream stream shares with connections that are made for it (FilterState::shared); null: nothing.
    const stream::FilterState* shared = nullptr;
    // The host, and what the configuration says of it and its cluster. Null outside of clusters.
    const Address* host = nullptr;
    const stream::FixedMetadata* host_metadata = nullptr;
    const stream::FixedMetadata* cluster_metadata = nullptr;
    observability::StatsCells* cells = nullptr;  // where it is counted; null: nowhere
  };
  // Called only while notReady() is empty. Null: a plain socket.
  virtual TransportPtr make(const Options& options) const = 0;
  // Empty if connections can be made now; else what is missing ("secret 'x' has not been delivered").
  virtual std::string notReady() const { return {}; }
  virtual bool isTls() const { return true; }

  // Connections tell the host who the client is (Options::client): none is for the requests of another client.
  virtual bool tellsClient() const { return false; }
  // Connections carry what streams share (Options::shared): none is for a stream that shares something else.
  virtual bool handsOver() const { return false; }
  // What an internal listener gets of a connection beside its bytes; null: nothing.
  virtual std::shared_ptr<stream::ConnectionState> handedOver(const Options&) const { return nullptr; }
  // The proxy to connect to instead of the host; nothing: the host.
  virtual std::optional<Address> proxyOf(const Options&) const { return std::nullopt; }
};

}  // namespace sluice::net
