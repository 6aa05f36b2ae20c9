// Which filter chain of a listener takes a connection. (proto: envoy.config.listener.v3.FilterChainMatch)
//
// The criteria are looked at in a fixed order: destination port, destination address, server name, transport protocol,
// application protocols, directly connected address, source type, source address, source port. At each the most
// specific value that some chain (of those still possible) has is taken, without ever coming back; so the cost is a few
// look-ups whatever the number of chains. Built once on main, then read by all workers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/filter/network.h"
#include "source/net/cidr.h"

namespace sluice::listener {

enum class SourceType : uint8_t { kAny, kSameIpOrLoopback, kExternal };

// What a chain wants of its connections; what is empty is not looked at.
struct ChainMatch {
  std::optional<uint16_t> destination_port;
  std::vector<net::Cidr> destination_ranges;
  std::vector<std::string> server_names;  // lower case; "*.example.com" are the names that end in ".example.com"
  std::string transport_protocol;
  std::vector<std::string> application_protocols;
  std::vector<net::Cidr> direct_source_ranges;
  SourceType source_type = SourceType::kAny;
  std::vector<net::Cidr> source_ranges;
  std::vector<uint16_t> source_ports;
};

class ChainIndex {
 public:
  // Gives the chain these criteria. If some connection would fit another chain just as well, that one's number.
  std::optional<size_t> add(const ChainMatch& match, size_t chain);

  std::optional<size_t> find(const filter::Accepted& accepted) const;

 private:
  // One type for each criterion, from the last one up. In the tables an empty key stands for "not looked at".
  using SourcePorts = absl::flat_hash_map<uint16_t, size_t>;
  struct SourceTypes {
    const net::CidrMap<SourcePorts>* choose(const filter::Accepted& accepted) const;
    std::unique_ptr<net::CidrMap<SourcePorts>> sources[3];
  };
  using DirectSources = net::CidrMap<SourceTypes>;
  template <typename Next>
  using ByText = absl::flat_hash_map<std::string, std::unique_ptr<Next>>;
  using ApplicationProtocols = ByText<DirectSources>;
  using TransportProtocols = ByText<ApplicationProtocols>;
  using ServerNames = ByText<TransportProtocols>;  // wildcards with their dot first: ".example.com"
  using Destinations = net::CidrMap<ServerNames>;

  static const TransportProtocols* findServerName(const ServerNames& names, std::string_view name);
  static const DirectSources* findApplicationProtocol(const ApplicationProtocols& protocols,
                                                      const std::vector<std::string>& offered);

  absl::flat_hash_map<uint16_t, std::unique_ptr<Destinations>> ports_;
};

}  // namespace sluice::listener
