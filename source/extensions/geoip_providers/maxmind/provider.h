// Looks IP addresses up in databases. (proto: envoy.extensions.geoip_providers.maxmind.v3.MaxMindConfig)
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/extensions/geoip_providers/maxmind/database_file.h"
#include "source/geoip/provider.h"
#include "source/observability/stats.h"

namespace sluice::extensions::geoip_providers::maxmind {

// A value of a record, and under which name it is told.
struct Fact {
  size_t name = 0;                    // its place in the provider's
  std::array<const char*, 4> path{};  // static storage
  bool is_private_relay = false;      // told is whether the value names Apple's
};

// A database that is asked, and for what.
struct Source {
  std::shared_ptr<const DatabaseFile> file;
  std::vector<Fact> facts;
  observability::Counter total, hit, lookup_error;
};

class Provider final : public geoip::Provider {
 public:
  Provider(std::vector<std::string> names, std::vector<Source> sources)
      : names_(std::move(names)), sources_(std::move(sources)) {}

  const std::vector<std::string>& names() const override { return names_; }
  void lookUp(const net::Address& address, worker::WorkerServices& worker, Tell tell) const override;

 private:
  const std::vector<std::string> names_;
  const std::vector<Source> sources_;
};

}  // namespace sluice::extensions::geoip_providers::maxmind
