#include "source/extensions/clusters/aggregate/kind.h"

namespace sluice::extensions::clusters::aggregate {

std::unique_ptr<upstream::lb::LbPicker> Policy::makePicker(upstream::lb::LbWorker&) const {
  return std::make_unique<upstream::lb::NoPicker>();
}

std::unique_ptr<upstream::cluster::HostSource> Kind::makeSource(
    const upstream::cluster::HostSource::World&, upstream::cluster::HostSource::Owner,
    upstream::cluster::HostSource::Receiver& receiver) const {
  return std::make_unique<upstream::cluster::FixedHosts>(std::make_shared<const upstream::cluster::Assignment>(),
                                                         receiver);
}

}  // namespace sluice::extensions::clusters::aggregate
