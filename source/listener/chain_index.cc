#include "source/listener/chain_index.h"

#include "source/match/input.h"

namespace sluice::listener {
namespace {

constexpr uint16_t kAnyPort = 0;

std::vector<net::Cidr> orAll(const std::vector<net::Cidr>& ranges) {
  if (!ranges.empty()) return ranges;
  return {net::Cidr::all(net::Address::Family::kIpv4), net::Cidr::all(net::Address::Family::kIpv6)};
}

std::vector<std::string> orAny(const std::vector<std::string>& texts) {
  return texts.empty() ? std::vector<std::string>{""} : texts;
}

template <typename Table>
auto& entryOf(Table& table, const typename Table::key_type& key) {
  auto& slot = table[key];
  if (!slot) slot = std::make_unique<typename Table::mapped_type::element_type>();
  return *slot;
}

absl::string_view keyOf(std::string_view text) {
  return {text.data(), text.size()};
}

// The entry of the key, else the one for what is not looked at.
template <typename Table, typename Key>
auto* findOrAny(const Table& table, const Key& key) {
  auto found = table.find(key);
  if (found == table.end()) found = table.find(typename Table::key_type());
  return found == table.end() ? nullptr : found->second.get();
}

}  // namespace

std::optional<size_t> ChainIndex::add(const ChainMatch& match, size_t chain) {
  std::optional<size_t> other;
  std::vector<uint16_t> ports = match.source_ports;
  if (ports.empty()) ports.push_back(kAnyPort);
  auto addSources = [&](SourceTypes& types) {
    auto& sources = types.sources[static_cast<size_t>(match.source_type)];
    if (!sources) sources = std::make_unique<net::CidrMap<SourcePorts>>();
    for (const net::Cidr& range : orAll(match.source_ranges)) {
      SourcePorts& by_port = sources->at(range);
      for (const uint16_t port : ports) {
        const auto [place, is_new] = by_port.emplace(port, chain);
        if (!is_new && place->second != chain) other = place->second;
      }
    }
  };

  Destinations& destinations = entryOf(ports_, match.destination_port.value_or(kAnyPort));
  for (const net::Cidr& destination : orAll(match.destination_ranges)) {
    for (const std::string& name : orAny(match.server_names)) {
      const std::string key = name.starts_with("*.") ? name.substr(1) : name;
      auto& by_application = entryOf(entryOf(destinations.at(destination), key), match.transport_protocol);
      for (const std::string& protocol : orAny(match.application_protocols)) {
        for (const net::Cidr& direct : orAll(match.direct_source_ranges)) {
          addSources(entryOf(by_application, protocol).at(direct));
        }
      }
    }
  }
  return other;
}

const ChainIndex::TransportProtocols* ChainIndex::findServerName(const ServerNames& names, std::string_view name) {
  if (const auto exact = names.find(keyOf(name)); exact != names.end()) return exact->second.get();
  for (size_t dot = name.find('.', 1); dot < name.size(); dot = name.find('.', dot + 1)) {
    if (const auto suffix = names.find(keyOf(name.substr(dot))); suffix != names.end()) return suffix->second.get();
  }
  const auto any = names.find("");
  return any == names.end() ? nullptr : any->second.get();
}

const ChainIndex::DirectSources* ChainIndex::findApplicationProtocol(const ApplicationProtocols& protocols,
                                                                     const std::vector<std::string>& offered) {
  for (const std::string& protocol : offered) {
    if (const auto found = protocols.find(protocol); found != protocols.end()) return found->second.get();
  }
  const auto any = protocols.find("");
  return any == protocols.end() ? nullptr : any->second.get();
}

const net::CidrMap<ChainIndex::SourcePorts>* ChainIndex::SourceTypes::choose(const filter::Accepted& accepted) const {
  const auto& local = sources[static_cast<size_t>(SourceType::kSameIpOrLoopback)];
  const auto& external = sources[static_cast<size_t>(SourceType::kExternal)];
  if (local || external) {
    const auto& special = match::fromThisHost(accepted.remote, accepted.local) ? local : external;
    if (special) return special.get();
  }
  return sources[static_cast<size_t>(SourceType::kAny)].get();
}

std::optional<size_t> ChainIndex::find(const filter::Accepted& accepted) const {
  const Destinations* destinations = findOrAny(ports_, accepted.local.port());
  if (destinations == nullptr) return std::nullopt;
  const ServerNames* names = destinations->find(accepted.local);
  if (names == nullptr) return std::nullopt;
  const TransportProtocols* transports = findServerName(*names, accepted.server_name);
  if (transports == nullptr) return std::nullopt;
  const ApplicationProtocols* applications = findOrAny(*transports, keyOf(accepted.transport_protocol));
  if (applications == nullptr) return std::nullopt;
  const DirectSources* directs = findApplicationProtocol(*applications, accepted.application_protocols);
  if (directs == nullptr) return std::nullopt;
  const SourceTypes* types = directs->find(accepted.direct_remote);
  if (types == nullptr) return std::nullopt;
  const net::CidrMap<SourcePorts>* sources = types->choose(accepted);
  if (sources == nullptr) return std::nullopt;
  const SourcePorts* ports = sources->find(accepted.remote);
  if (ports == nullptr) return std::nullopt;
  auto port = ports->find(accepted.remote.port());
  if (port == ports->end()) port = ports->find(kAnyPort);
  if (port == ports->end()) return std::nullopt;
  return port->second;
}

}  // namespace sluice::listener
