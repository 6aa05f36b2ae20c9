#include "source/extensions/clusters/aggregate/kind.h"

namespace sluice::extensions::clusters::aggregate {

std::unique_ptr<upstream::lb::LbPicker> Policy::makePicker(upstream::lb::LbWorker&) const {
  return std::make_unique<upstream::lb::NoPicker>();
}

}  // namespace sluice::extensions::clusters::aggregate
