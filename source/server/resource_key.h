// What identifies a resource that is asked for: its name, and where it comes from. Two sources may each have one of the
// same name, and they are two resources.
#pragma once

#include <compare>
#include <string>

#include "envoy/config/core/v3/config_source.pb.h"
#include "source/config/config_source.h"
#include "source/xds/subscriptions.h"

namespace sluice::server {

struct ResourceKey {
  std::string source;  // xds::identity
  std::string name;

  auto operator<=>(const ResourceKey&) const = default;
};

xds::GrpcSource toXds(const config::GrpcSource& source);
xds::Source toXds(const config::ResourceSource& source);

// `source` was checked when what holds it was compiled; one that is none has an identity of its own. `self`: identity
// of the source of the resource that names it.
ResourceKey keyOf(const envoy::config::core::v3::ConfigSource& source, std::string name, const std::string& self = {});

}  // namespace sluice::server
