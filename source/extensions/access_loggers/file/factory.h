// Compiles envoy.extensions.access_loggers.file.v3.FileAccessLog.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "source/observability/log_file.h"
#include "source/stream/access_log.h"

namespace sluice::extensions::access_loggers::file {

inline constexpr std::string_view kName = "envoy.access_loggers.file";

// Main thread. `files` outlives the result; null only checks the configuration: no file is opened and the result is
// null. Errors begin with the field of the message.
absl::StatusOr<std::shared_ptr<const stream::AccessLog>> makeAccessLog(
    const envoy::extensions::access_loggers::file::v3::FileAccessLog& config, observability::LogFiles* files);

}  // namespace sluice::extensions::access_loggers::file
