#include "source/server/serving_reporter.h"

#include "source/xds/resource_type.h"

namespace sluice::server {

void ServingReporter::tell() {
  soon_ = false;
  const Waiting found = waiting();
  dynamic_.report(found);
  if (!found.empty()) look_.arm(kAgain);
}

// Cost follows how many there are, by a look at each; texts are made of those that wait only.
ServingReporter::Waiting ServingReporter::waiting() const {
  Waiting out;
  const auto add = [&out](std::string_view type, const std::string& name, std::string waits) {
    out.push_back({std::string(xds::typeName(type)), name, waits.empty() ? "its turn" : std::move(waits)});
  };
  for (const auto& [name, entry] : clusters_.entries()) {
    if (entry->warming && entry->leaving == 0) add(xds::kClusterType, name, entry->warming->init->waits());
  }
  for (const auto& [name, entry] : listeners_.entries()) {
    if (entry.warming) add(xds::kListenerType, name, entry.warming->init->waits());
  }
  routes_.forEachComing(
      [&](const ResourceKey& key, const std::string& waits) { add(xds::kRouteType, key.name, waits); });
  return out;
}

}  // namespace sluice::server
