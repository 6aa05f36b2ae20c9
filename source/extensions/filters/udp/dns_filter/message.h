// Questions and answers of DNS, as bytes. (RFC 1035, RFC 2782, RFC 6891)
//
// What comes is from strangers: a message is read once from its beginning, nothing is read behind its end, and pointers
// are not followed, since a question needs none. An answer never has more bytes than whoever asked takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "source/net/address.h"

namespace sluice::extensions::udp_filters::dns_filter {

enum class RecordType : uint16_t { kA = 1, kAaaa = 28, kSrv = 33, kOpt = 41, kAny = 255 };

enum class Rcode : uint8_t {
  kNoError = 0,
  kFormatError = 1,
  kServerFailure = 2,
  kNoSuchName = 3,
  kNotImplemented = 4,
  kRefused = 5,
};

struct Query {
  uint16_t id = 0;
  bool recursion_desired = false;
  std::string name;      // (name.h), in lower case
  std::string question;  // its bytes, as they were asked; empty: there is none that could be read
  uint16_t type = 0;
  bool edns = false;
  size_t limit = 512;  // bytes that whoever asked takes

  bool wants(RecordType wanted) const { return type == static_cast<uint16_t>(wanted); }
  // A or AAAA, or any.
  bool wantsAddresses(bool ipv6) const {
    return wants(ipv6 ? RecordType::kAaaa : RecordType::kA) || wants(RecordType::kAny);
  }
};

// What is wrong with a message, as far as it is to be told.
struct Parsed {
  enum class Result : uint8_t {
    kQuery,
    kAnswerOnly,  // no question that could be answered: it is told so by `rcode`
    kIgnore,      // nobody is told: it is no question, or has no id
  };
  Result result = Result::kIgnore;
  Rcode rcode = Rcode::kNoError;
  bool short_of_bytes = false;  // it ended before its end
  bool long_name = false;
  Query query;
};

Parsed parseQuery(std::string_view datagram);

// An answer in the making.
class Answer {
 public:
  // What larger answers need to arrive whole.
  static constexpr size_t kMaxSize = 1232;

  // `query` outlives it. `authoritative`: from the table.
  Answer(const Query& query, bool authoritative);

  // Of the name that was asked for. False: there is no more room.
  bool addAddress(const net::Address& address, uint32_t ttl);
  bool addService(uint16_t priority, uint16_t weight, uint16_t port, std::string_view target, uint32_t ttl);
  // Beside the answer, of another name. Behind all of those.
  bool addOther(std::string_view name, const net::Address& address, uint32_t ttl);

  size_t answers() const { return answers_; }
  std::string finish(Rcode rcode);

 private:
  bool add(std::string_view name, RecordType type, uint32_t ttl, std::string_view data, uint16_t& counter);

  const Query& query_;
  const bool authoritative_;
  size_t limit_;
  std::string out_;
  uint16_t answers_ = 0;
  uint16_t others_ = 0;
};

}  // namespace sluice::extensions::udp_filters::dns_filter
