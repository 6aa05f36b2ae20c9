// Errors as the Connect protocol has them. (docs: "Connect Protocol Reference", Error Codes and Error End-Stream)
#pragma once

#include <string>
#include <string_view>

#include "source/http/headers.h"

namespace sluice::extensions::http_filters::connect_grpc_bridge {

// {"code":...,"message":...,"details":[...]}. `details`: what grpc-status-details-bin has, in base64; empty: none.
std::string errorJson(int grpc_status, std::string_view message, std::string_view details);

// What the last message of a stream says: its trailers, and the error if there is one. `status`: not in the trailers of
// an answer that is only a head.
std::string endOfStreamJson(int status, const http::HeaderList& fields, bool with_metadata);

// Whether a field is gRPC's own and not for clients.
bool isGrpcField(const http::Field& field);

}  // namespace sluice::extensions::http_filters::connect_grpc_bridge
