// Leaves what a provider knows of a connection's client in the connection's filter state.
// (proto: envoy.extensions.filters.network.geoip.v3.Geoip)
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "source/filter/network_filter.h"
#include "source/geoip/provider.h"
#include "source/net/address.h"
#include "source/observability/stats.h"
#include "source/stream/filter_state.h"
#include "source/stream/formatter.h"

namespace sluice::extensions::network_filters::geoip {

// What is left under this name. Its text is a JSON object.
class GeoipInfo : public stream::FilterState::Object {
 public:
  static constexpr std::string_view kName = "envoy.geoip";
  using Fields = std::map<std::string, std::string, std::less<>>;

  explicit GeoipInfo(Fields fields);
  std::string_view text() const override { return text_; }
  std::optional<std::string_view> field(std::string_view name) const override;

 private:
  const Fields fields_;
  std::string text_;
};

struct Settings {
  std::shared_ptr<const sluice::geoip::Provider> provider;
  std::optional<stream::TextFormatter> client_ip;
  observability::Counter total, skipped;
};

class Geoip : public filter::NetworkFilterFactory {
 public:
  explicit Geoip(Settings settings) : settings_(std::move(settings)) {}

  filter::NetworkResult admit(filter::NetworkStream& stream) const override;

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::network_filters::geoip
