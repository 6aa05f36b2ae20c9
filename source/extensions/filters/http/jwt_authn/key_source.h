// Where a provider's keys are: in the configuration, in a file that is read again when it changes, or fetched.
#pragma once

#include <memory>
#include <utility>

#include "source/jwt/key_set.h"
#include "source/jwt/remote_keys.h"
#include "source/worker/exchanged.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::jwt_authn {

using KeySetPtr = std::shared_ptr<const jwt::KeySet>;

using LocalKeys = worker::Exchanged<jwt::KeySet>;

class KeySource {
 public:
  KeySource() = default;  // of a configuration that is only checked
  explicit KeySource(std::shared_ptr<const LocalKeys> local) : local_(std::move(local)) {}
  explicit KeySource(std::shared_ptr<const jwt::RemoteKeys> remote) : remote_(std::move(remote)) {}

  // Null: none have come. Stays valid until this worker asks again. The same object as long as the keys are.
  const KeySetPtr& keys(worker::WorkerServices& worker) const {
    if (remote_) return remote_->keys(worker);
    static const KeySetPtr kNone;
    return local_ ? local_->get(worker) : kNone;
  }
  // False: no others are to be expected now. Else `waiter` is told.
  bool wait(worker::WorkerServices& worker, jwt::KeysWaiter& waiter) const {
    return remote_ && remote_->wait(worker, waiter);
  }

 private:
  std::shared_ptr<const LocalKeys> local_;
  std::shared_ptr<const jwt::RemoteKeys> remote_;
};

}  // namespace sluice::extensions::http_filters::jwt_authn
