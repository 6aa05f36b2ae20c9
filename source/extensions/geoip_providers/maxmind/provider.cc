#include "source/extensions/geoip_providers/maxmind/provider.h"

#include <string_view>

namespace sluice::extensions::geoip_providers::maxmind {
namespace {

constexpr std::string_view kPrivateRelay = "iCloud Private Relay";  // as the ISP database calls it

}  // namespace

void Provider::lookUp(const net::Address& address, worker::WorkerServices& worker, Tell tell) const {
  for (const Source& source : sources_) {
    const Database::Record record = source.file->current(worker).find(address);
    worker.cells.add(source.total);
    if (record.failed) worker.cells.add(source.lookup_error);
    if (!record.entry) continue;
    bool hit = false;
    for (const Fact& fact : source.facts) {
      std::string value = Database::valueOf(*record.entry, fact.path.data());
      if (fact.is_private_relay) value = value == kPrivateRelay ? "true" : "false";
      if (value.empty()) continue;
      tell(fact.name, value);
      hit = true;
    }
    if (hit) worker.cells.add(source.hit);
  }
}

}  // namespace sluice::extensions::geoip_providers::maxmind
