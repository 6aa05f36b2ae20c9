#pragma once

// Rules of envoy.config.rbac.v3 -> filter::rbac::Rules. Thread: main. Run after validate(); errors go to `context`.

#include "envoy/config/rbac/v3/rbac.pb.h"
#include "source/config/errors.h"
#include "source/filter/rbac/rules.h"

namespace sluice::config {

filter::rbac::Rules compileRbac(const envoy::config::rbac::v3::RBAC& rbac, const Context& context);

}  // namespace sluice::config
