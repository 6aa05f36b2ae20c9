#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::admission_control {

// envoy.extensions.filters.http.admission_control.v3.AdmissionControl.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::admission_control
