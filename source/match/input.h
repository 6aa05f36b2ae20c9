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

#include "source/net/address.h"

namespace sluice::match {

// Parts of Data, as bits.
enum Part : uint8_t {
  kAddresses = 1,   // remote, local
  kConnection = 2,  // what a listener knows of a connection before its first byte is served
};

// What is decided about. Borrowed for one evaluation. What the place does not have is null or empty.
struct Data {
  // kAddresses
  const net::Address* remote = nullptr;  // the client
  const net::Address* local = nullptr;   // where the client wanted to go
  // kConnection
  const net::Address* direct_remote = nullptr;  // the socket's peer
  std::string_view server_name;                 // in lower case; empty: none
  std::string_view transport_protocol;
  const std::vector<std::string>* application_protocols = nullptr;
};

// What an input found.
struct Value {
  // kNotYet: it may come, nothing can be said. kGrowing: more of it may come, so a match holds and a mismatch may not.
  enum class State : uint8_t { kNotYet, kGrowing, kWhole };

  State state = State::kWhole;
  std::optional<std::string_view> text;   // nullopt: there is none
  const net::Address* address = nullptr;  // what `text` is the text of, without port; null: not known to be an address
};

// Room for the text of a value that is made for it. Good until the next use.
using Scratch = std::string;

class Input {
 public:
  virtual ~Input() = default;
  // Bits of Part.
  virtual uint8_t needs() const = 0;
  virtual Value get(const Data& data, Scratch& scratch) const = 0;
};

// A condition on a value other than a StringMatcher. (Envoy: envoy.matching.input_matchers) An extension kind, too.
class ValueMatcher {
 public:
  virtual ~ValueMatcher() = default;
  // Absent values come here as well.
  virtual bool matches(const Value& value) const = 0;
};

// Whether a client is on this host: by loopback, a Unix socket, or from the address that it wanted to reach.
// (proto: FilterChainMatch.ConnectionSourceType SAME_IP_OR_LOOPBACK, SourceTypeInput)
bool fromThisHost(const net::Address& remote, const net::Address& local);

// The address that a value is, or the one that its text names.
std::optional<net::Address> addressOf(const Value& value);

}  // namespace sluice::match
