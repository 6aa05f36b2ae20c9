#include "source/tls/ticket_keys.h"

#include <openssl/rand.h>

namespace sluice::tls {
namespace {

std::string randomBytes(size_t size) {
  std::string out(size, '\0');
  RAND_bytes(reinterpret_cast<uint8_t*>(out.data()), size);
  return out;
}

}  // namespace

TicketKeyList TicketKeyRing::keys(std::chrono::seconds now) {
  const std::lock_guard lock(mutex_);
  if (keys_ != nullptr && now - made_ < kRotation) return keys_;
  std::vector<TicketKey> list = {{randomBytes(16), randomBytes(32), randomBytes(32)}};
  if (keys_ != nullptr && now - made_ < 2 * kRotation) list.push_back(keys_->front());
  keys_ = std::make_shared<const std::vector<TicketKey>>(std::move(list));
  made_ = now;
  return keys_;
}

}  // namespace sluice::tls
