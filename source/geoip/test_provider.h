// A provider for tests of filters.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/geoip/provider.h"

namespace sluice::geoip::testing {

class TestProvider final : public Provider {
 public:
  // IP address -> values of the names in their order; empty: nothing.
  using Known = std::map<std::string, std::vector<std::string>>;

  TestProvider(std::vector<std::string> names, Known known) : names_(std::move(names)), known_(std::move(known)) {}

  const std::vector<std::string>& names() const override { return names_; }
  void lookUp(const net::Address& address, worker::WorkerServices&, Tell tell) const override {
    const auto found = known_.find(address.ip());
    if (found == known_.end()) return;
    for (size_t i = 0; i < found->second.size(); ++i) {
      if (!found->second[i].empty()) tell(i, found->second[i]);
    }
  }

 private:
  const std::vector<std::string> names_;
  const Known known_;
};

}  // namespace sluice::geoip::testing
