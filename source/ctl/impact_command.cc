#include <iostream>
#include <memory>

#include "source/ctl/commands.h"
#include "source/ctl/impact.h"
#include "source/ctl/inventory.h"
#include "source/extensions/all.h"

namespace sluice::ctl {

ExitCode impact(const Settings& settings, const std::string& before, const std::string& after, bool by_xds) {
  config::Registry registry;
  extensions::registerAll(registry);
  config::ErrorList errors;
  const std::unique_ptr<Inventory> was = Inventory::read(before, registry, errors);
  const std::unique_ptr<Inventory> next = Inventory::read(after, registry, errors);
  if (was == nullptr || next == nullptr) {
    std::cerr << errors.toString() << "\nsluicectl: a file is refused, so nothing is compared\n";
    return kUsage;
  }
  if (was->is_bootstrap != next->is_bootstrap) {
    std::cerr << "sluicectl: one of the files is a bootstrap and the other one holds resources; give two of one kind\n";
    return kUsage;
  }
  const Impact found = compare(*was, *next, by_xds);
  if (settings.json) {
    std::cout << toJson(found).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
  } else {
    std::cout << toText(found);
  }
  if (found.worst() == Effect::kRefused) return kUsage;
  return found.worst() == Effect::kNone ? kDone : kRefused;
}

ExitCode impactOfFields() {
  config::Registry registry;
  extensions::registerAll(registry);
  std::cout << effectsDocument(registry);
  return kDone;
}

}  // namespace sluice::ctl
