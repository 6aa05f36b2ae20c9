// Requests for tunnels (upgrades, CONNECT): whether they may have one, and which filters they pass.
// (proto: HttpConnectionManager.UpgradeConfig, RouteAction.UpgradeConfig)
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "source/http/headers.h"
#include "source/route/table.h"
#include "source/session/http_settings.h"

namespace sluice::session {

// As configurations name it.
inline std::string_view tunnelType(const http::RequestHeaders& request) {
  return request.upgrade.empty() ? std::string_view("connect") : request.upgrade;
}

// What the route says goes before the connection manager; what neither allows is refused.
inline bool mayTunnel(const HttpSettings& settings, const route::Match& match, std::string_view type) {
  const auto find = [type](const std::vector<route::UpgradeSpec>& upgrades) {
    return std::find_if(upgrades.begin(), upgrades.end(), [type](const auto& each) { return each.type == type; });
  };
  if (match.route != nullptr && match.route->forward != nullptr && match.route->forward->upgrades != nullptr) {
    const auto& upgrades = *match.route->forward->upgrades;
    if (const auto found = find(upgrades); found != upgrades.end()) return found->enabled;
  }
  const auto found = find(settings.upgrades);
  return found != settings.upgrades.end() && found->enabled;
}

// Null: they pass those of all requests.
inline const UpgradeChain* ownChain(const HttpSettings& settings, std::string_view type) {
  const std::vector<UpgradeChain>& chains = settings.upgrade_chains;
  const auto found = std::find_if(chains.begin(), chains.end(), [type](const auto& each) { return each.type == type; });
  return found == chains.end() ? nullptr : &*found;
}

}  // namespace sluice::session
