#include "source/stream/grpc_status.h"

#include "source/http/grpc.h"

namespace sluice::stream {

std::optional<std::string_view> grpcStatusSent(const FormatContext& context) {
  std::optional<std::string_view> found;
  if (context.trailers != nullptr) found = context.trailers->get(http::Name::kGrpcStatus);
  if (!found && context.response != nullptr) found = context.response->get(http::Name::kGrpcStatus);
  return found;
}

int grpcStatusInstead(const FormatContext& context) {
  const StreamInfo& info = context.info;
  if (info.grpc_status >= 0 || info.response_code == 0) return info.grpc_status;
  const bool is_grpc = context.request != nullptr && http::grpc::isGrpcRequest(*context.request);
  return is_grpc ? http::grpc::statusOfHttp(info.response_code) : -1;
}

}  // namespace sluice::stream
