#include "source/extensions/filters/network/geoip/filter.h"

#include "source/filter/connection_info.h"
#include "source/stream/connection_state.h"
#include "source/stream/metadata.h"

namespace sluice::extensions::network_filters::geoip {
namespace {

net::Address addressOf(const filter::NetworkStream& stream, const Settings& settings) {
  if (settings.client_ip) {
    filter::ConnectionInfo facts(stream);
    std::string said;
    settings.client_ip->format({.info = facts.info()}, said);
    if (const auto address = net::Address::fromIp(said, 0)) return *address;
  }
  return stream.facts().remote;
}

}  // namespace

GeoipInfo::GeoipInfo(Fields fields) : fields_(std::move(fields)) {
  stream::MetadataFields object;
  for (const auto& [name, value] : fields_) object.push_back({name, {value}});
  stream::appendJson({std::move(object)}, text_);
}

std::optional<std::string_view> GeoipInfo::field(std::string_view name) const {
  const auto found = fields_.find(name);
  return found == fields_.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

filter::NetworkResult Geoip::admit(filter::NetworkStream& stream) const {
  stream.cells().add(settings_.total);
  const net::Address address = addressOf(stream, settings_);
  if (!address.isIp()) {
    stream.cells().add(settings_.skipped);
    return filter::Next{};
  }
  GeoipInfo::Fields fields;
  settings_.provider->lookUp(address, stream.worker(), [&](size_t name, std::string_view value) {
    fields.emplace(settings_.provider->names()[name], value);
  });
  if (!fields.empty()) {
    stream::madeIn(stream.facts().state)
        .filter_state.set(GeoipInfo::kName, std::make_shared<GeoipInfo>(std::move(fields)));
  }
  return filter::Next{};
}

}  // namespace sluice::extensions::network_filters::geoip
