// Keys of session tickets that nobody configured: random, shared by all contexts of the process, so that a ticket stays
// good when a listener or a certificate is replaced. What a ticket may open is decided by the session context, not by
// its key. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace sluice::tls {

struct TicketKey {
  std::string name, hmac, aes;  // 16, 32 and 32 bytes
};
// The first encrypts, all decrypt.
using TicketKeyList = std::shared_ptr<const std::vector<TicketKey>>;

class TicketKeyRing {
 public:
  // A key encrypts for this long and decrypts for as long again: then it is gone, and what it protected with it.
  static constexpr std::chrono::hours kRotation{24};

  // `now`: of a clock that never goes back.
  TicketKeyList keys(std::chrono::seconds now);

 private:
  std::mutex mutex_;
  TicketKeyList keys_;
  std::chrono::seconds made_{};
};

}  // namespace sluice::tls
