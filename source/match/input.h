// What a matcher looks at: one value of a connection or a request. (Envoy: envoy.matching.*.input)
//
// An input is an extension kind: its factory stands in source/extensions/matching, and what it makes is immutable and
// shared by all workers. It reads what the place where it stands has of the world, and says so in needs(): a place that
// has less refuses it when the configuration is loaded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/http/headers.h"
#include "source/net/address.h"

namespace sluice::stream {
struct MetadataValue;
struct StreamInfo;
}  // namespace sluice::stream

namespace sluice::match {

// Parts of Data, as bits.
enum Part : uint8_t {
  kAddresses = 1,          // remote, local
  kConnection = 2,         // transport_protocol, application_protocols: what the first bytes of a connection say
  kPeer = 4,               // direct_remote, server_name
  kRequest = 8,            // request
  kStream = 16,            // info: what filters left, the client's certificate
  kRequestTrailers = 32,   // request_trailers
  kResponse = 64,          // response, local_reply
  kResponseTrailers = 128  // response_trailers
};
// What is known of an HTTP request when its route is chosen.
inline constexpr uint8_t kRequestParts = kAddresses | kPeer | kRequest | kStream;
// What is known where the head of a response goes by (match/exchange.h).
inline constexpr uint8_t kResponseParts = kRequestParts | kResponse;

// What is decided about. Borrowed for one evaluation. What the place does not have is null or empty.
struct Data {
  // kAddresses
  const net::Address* remote = nullptr;  // the client
  const net::Address* local = nullptr;   // where the client wanted to go
  // kPeer
  const net::Address* direct_remote = nullptr;  // the socket's peer
  std::string_view server_name;                 // in lower case; empty: none
  // kConnection
  std::string_view transport_protocol;
  const std::vector<std::string>* application_protocols = nullptr;
  // Of HTTP. A head or trailers that may still come are null.
  const http::RequestHeaders* request = nullptr;
  const stream::StreamInfo* info = nullptr;
  const http::Trailers* request_trailers = nullptr;
  const http::ResponseHeaders* response = nullptr;
  bool local_reply = false;  // `response` is our own
  const http::Trailers* response_trailers = nullptr;
};

// What an input found.
struct Value {
  // kNotYet: it may come, nothing can be said. kGrowing: more of it may come, so a match holds and a mismatch may not.
  enum class State : uint8_t { kNotYet, kGrowing, kWhole };

  State state = State::kWhole;
  std::optional<std::string_view> text;   // nullopt: there is none
  const net::Address* address = nullptr;  // what `text` is the text of, without port; null: not known to be an address
  // A value that may have parts (dynamic metadata); `text` is set as well where it is one. Null: not of that kind.
  const stream::MetadataValue* structured = nullptr;
  // All that there is, of inputs that stand for no single value; only value matchers made for such look at it. Null: of
  // the others.
  const Data* everything = nullptr;
};

// Room for the text of a value that is made for it. Good until the next use.
using Scratch = std::string;

class Input {
 public:
  virtual ~Input() = default;
  // Bits of Part.
  virtual uint8_t needs() const = 0;
  // Whether it gives Value::structured.
  virtual bool isStructured() const { return false; }
  virtual Value get(const Data& data, Scratch& scratch) const = 0;
  // It stands for no single value but gives Value::everything.
  virtual bool isEverything() const { return false; }
};

// A condition on a value other than a StringMatcher. (Envoy: envoy.matching.input_matchers) An extension kind, too.
class ValueMatcher {
 public:
  virtual ~ValueMatcher() = default;
  // Bits of Part that it looks at by itself, beside what its input needs.
  virtual uint8_t needs() const { return 0; }
  // Whether it looks at Value::structured and has no meaning without.
  virtual bool wantsStructured() const { return false; }
  // Absent values come here as well.
  virtual bool matches(const Value& value) const = 0;
  // It looks at Value::everything and has no meaning without.
  virtual bool wantsEverything() const { return false; }
};

// Whether a client is on this host: by loopback, a Unix socket, or from the address that it wanted to reach.
// (proto: FilterChainMatch.ConnectionSourceType SAME_IP_OR_LOOPBACK, SourceTypeInput)
bool fromThisHost(const net::Address& remote, const net::Address& local);

// The address that a value is, or the one that its text names.
std::optional<net::Address> addressOf(const Value& value);

// The number that a value is, or that its whole text is in decimal notation; none if it is outside of what T can hold
// (or, for integers, has a fraction).
template <typename T>
std::optional<T> numberOf(const Value& value);
extern template std::optional<int64_t> numberOf(const Value& value);
extern template std::optional<double> numberOf(const Value& value);

}  // namespace sluice::match
