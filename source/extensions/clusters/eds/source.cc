#include "source/extensions/clusters/eds/source.h"

namespace sluice::extensions::clusters::eds {

using upstream::cluster::AssignmentPtr;

Source::Source(const World& world, const Settings& settings, Receiver& receiver)
    : endpoints_(world.endpoints), settings_(settings), receiver_(receiver) {}

void Source::watch() {
  watch_ = endpoints_.watch(settings_.cluster, settings_.source, settings_.service_name, *this);
}

void Source::start() {
  watch();
  if (AssignmentPtr known = watch_->known()) return onEndpoints(std::move(known));
  if (watch_->givenUp()) onNoEndpoints();
}

}  // namespace sluice::extensions::clusters::eds
