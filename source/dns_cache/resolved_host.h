// What a name stands for, as a cache found it. Immutable, shared by all threads; another answer is another object.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "source/dns_cache/host_name.h"
#include "source/event/timer.h"
#include "source/net/address.h"

namespace sluice::dns_cache {

class DnsCache;

// When a name was asked for last, by whichever worker. Any thread.
class Usage {
 public:
  explicit Usage(event::TimePoint now) : last_(now.time_since_epoch().count()) {}

  // Stored once a second at most: the workers share it.
  void touch(event::TimePoint now) {
    const event::Duration::rep known = last_.load(std::memory_order_relaxed);
    const event::Duration::rep time = now.time_since_epoch().count();
    if (event::Duration(time - known) >= std::chrono::seconds(1)) last_.store(time, std::memory_order_relaxed);
  }
  event::Duration idle(event::TimePoint now) const {
    return now.time_since_epoch() - event::Duration(last_.load(std::memory_order_relaxed));
  }

 private:
  std::atomic<event::Duration::rep> last_;
};

struct ResolvedHost {
  enum class Outcome : uint8_t {
    kResolved,
    kFailed,   // the DNS has no address, or gave no answer
    kRefused,  // the addresses are none that may be reached (address_guard.h)
    kFull,     // there is no room for another name
  };

  const DnsCache* cache = nullptr;  // whose it is, to be compared only
  HostName name;
  Outcome outcome = Outcome::kFailed;
  std::vector<net::Address> addresses;  // with the port, all allowed; empty unless kResolved
  std::string details;                  // why there is none, for %RESPONSE_CODE_DETAILS%
  std::shared_ptr<Usage> usage;         // null: kFull
};

using ResolvedHostPtr = std::shared_ptr<const ResolvedHost>;

}  // namespace sluice::dns_cache
