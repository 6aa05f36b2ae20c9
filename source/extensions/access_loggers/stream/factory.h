// Compiles envoy.extensions.access_loggers.stream.v3.StdoutAccessLog and StderrAccessLog.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"
#include "source/observability/log_file.h"
#include "source/stream/access_log.h"

namespace sluice::extensions::access_loggers::stream {

inline constexpr std::string_view kStdoutName = "envoy.access_loggers.stdout";
inline constexpr std::string_view kStderrName = "envoy.access_loggers.stderr";

using AccessLogPtr = std::shared_ptr<const sluice::stream::AccessLog>;

// Main thread. `files` outlives the result; null only checks the configuration and gives null.
// Errors begin with the field of the message.
absl::StatusOr<AccessLogPtr> makeAccessLog(const envoy::extensions::access_loggers::stream::v3::StdoutAccessLog& config,
                                           observability::LogFiles* files);
absl::StatusOr<AccessLogPtr> makeAccessLog(const envoy::extensions::access_loggers::stream::v3::StderrAccessLog& config,
                                           observability::LogFiles* files);

}  // namespace sluice::extensions::access_loggers::stream
