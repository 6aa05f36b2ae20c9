// What sluicectl prints for people, from the JSON of the APIs. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"

namespace sluice::ctl {

// Columns as wide as their widest cell, two spaces apart; no spaces at the end of a line.
std::string table(const std::vector<std::vector<std::string>>& rows);

// One line for each of an answer's `warnings`.
std::string warningLines(const nlohmann::json& answer);

// GET /api/v1/status: a line a type of each node, refusals below, a summary and the load of the fleet at the end.
std::string renderStatus(const nlohmann::json& status);

// "47 of 50 serve generation 812 (version v, 9 resources); 3 refused cluster payments at PATH: why": one line.
std::string fleetLine(const nlohmann::json& status);

// What a status says to who waits for a version.
enum class Wait { kServed, kGoOn, kNotServed, kReplaced };
// kNotServed: nothing is on its way any more, and not all proxies serve it.
Wait judge(const nlohmann::json& status, const std::string& version);

// GET /api/v1/load: a line a cluster and a line a locality of it, a summary at the end.
std::string renderLoad(const nlohmann::json& load);

// GET /api/v1/resources: a line a resource.
std::string renderResources(const nlohmann::json& resources);

}  // namespace sluice::ctl
