// What is known of an IP address: where it is, whose it is, whether it hides its user.
//
// Filters see this interface; providers are a kind of extension (source/extensions/geoip_providers). Immutable, shared
// by all workers.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "source/net/address.h"
#include "source/worker/services.h"

namespace sluice::geoip {

class Provider {
 public:
  // `name`: its place among names(). `value` is valid during the call, not empty, and text as its source has it.
  using Tell = absl::FunctionRef<void(size_t name, std::string_view value)>;

  virtual ~Provider() = default;

  // Under which names it tells what it knows, as configured; each is there once.
  virtual const std::vector<std::string>& names() const = 0;
  // Tells what is known of `address`, which is an IP address. Does not wait.
  virtual void lookUp(const net::Address& address, worker::WorkerServices& worker, Tell tell) const = 0;
};

}  // namespace sluice::geoip
