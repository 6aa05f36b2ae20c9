#include "source/filter/grpc_client.h"

#include "source/http/grpc.h"

namespace sluice::filter {

void UnaryCall::start(Calls& calls, const GrpcTarget& target, std::string_view path, std::string_view message,
                      OnAnswer on_answer) {
  on_answer_ = std::move(on_answer);
  GrpcCallRequest request = target.request(path);
  request.timeout = target.timeout;
  call_ = calls.openGrpc(std::move(request), *this);
  call_->sendMessage(message, true);
}

void UnaryCall::onGrpcMessage(std::string_view message) {
  if (++messages_ == 1) answer_ = message;
}

void UnaryCall::onGrpcEnd(int status, std::string_view message) {
  const OnAnswer on_answer = std::move(on_answer_);
  if (status != http::grpc::kOk) return on_answer(status, message);
  if (messages_ != 1) return on_answer(http::grpc::kInternal, "not one answer");
  const std::string answer = std::move(answer_);
  on_answer(status, answer);
}

}  // namespace sluice::filter
