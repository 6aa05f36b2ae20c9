// gRPC call-outs of filters: where they go, and calls with one question and one answer.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/filter/calls.h"

namespace sluice::filter {

// A configured service (proto: config.core.v3.GrpcService). Immutable, shared by all workers.
struct GrpcTarget {
  std::string cluster;
  std::string authority;                                      // empty: the cluster's name
  std::vector<std::pair<std::string, std::string>> metadata;  // sent with each call
  std::chrono::milliseconds timeout{0};                       // of a call with one answer; 0: none

  // A call of `path` without a timeout.
  GrpcCallRequest request(std::string_view path) const {
    return {.cluster = cluster, .path = std::string(path), .authority = authority, .metadata = metadata};
  }
};

// Asks once. The answer comes from the loop, never inside start(); destroying this cancels.
class UnaryCall : private GrpcEvents {
 public:
  // `status` 0: `text` is the answer; else its status message. The receiver may destroy the UnaryCall.
  using OnAnswer = std::function<void(int status, std::string_view text)>;

  UnaryCall() = default;
  UnaryCall(const UnaryCall&) = delete;
  UnaryCall& operator=(const UnaryCall&) = delete;

  // `path`: "/envoy.service.auth.v3.Authorization/Check".
  void start(Calls& calls, const GrpcTarget& target, std::string_view path, std::string_view message,
             OnAnswer on_answer);

 private:
  void onGrpcMessage(std::string_view message) override;
  void onGrpcEnd(int status, std::string_view message) override;

  OnAnswer on_answer_;
  std::string answer_;
  int messages_ = 0;
  std::unique_ptr<GrpcCall> call_;
};

}  // namespace sluice::filter
