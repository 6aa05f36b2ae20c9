// The status that a gRPC call ended with, for logs, their conditions and expressions.
// (gRPC over HTTP/2: Responses; doc/http-grpc-status-mapping)
#pragma once

#include <optional>
#include <string_view>

#include "source/stream/format_context.h"

namespace sluice::stream {

// The grpc-status field as it came: of the trailers, else of the head; nullopt: neither has one.
std::optional<std::string_view> grpcStatusSent(const FormatContext& context);

// What holds where no field says it: the status that a filter took out of the trailers, else what the HTTP status means
// to a gRPC client. Negative: nothing was answered, or it is no gRPC call.
int grpcStatusInstead(const FormatContext& context);

}  // namespace sluice::stream
