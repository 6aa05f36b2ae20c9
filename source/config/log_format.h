// The form of the process's own log lines. (proto: Bootstrap.ApplicationLogConfig)
#pragma once

#include <string>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "source/config/errors.h"

namespace sluice::config {

// A pattern for Logger::setFormat(); empty if nothing is said, or after an error. Thread: main. Run after validate().
std::string compileLogFormat(const envoy::config::bootstrap::v3::Bootstrap::ApplicationLogConfig& config,
                             const Context& context);

}  // namespace sluice::config
