// The call-out port: what a filter may ask of the world beside its own stream.
//
// A call is a handle: destroying it cancels the call, so no answer outlives its asker. Answers never come inside
// send(). Thread: the stream's worker.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::filter {

struct HttpCallRequest {
  std::string cluster;
  std::string method = "GET";
  std::string path = "/";
  std::string authority;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  std::chrono::milliseconds timeout{0};  // 0: none
  size_t max_response_body = 64 * 1024;  // a larger one is a failure
};

struct HttpCallResponse {
  // 0: the call failed, `failure` says how ("no_cluster", "no_healthy_upstream", "connect_failed", "reset",
  // "protocol_error", "timeout", "overflow", "response_too_large").
  uint16_t status = 0;
  std::string_view failure;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

class Call {
 public:
  virtual ~Call() = default;
};

class Calls {
 public:
  virtual ~Calls() = default;
  [[nodiscard]] virtual std::unique_ptr<Call> send(HttpCallRequest request,
                                                   std::function<void(HttpCallResponse)> on_response) = 0;
  // Runs `on_expiry` once after `delay`.
  [[nodiscard]] virtual std::unique_ptr<Call> after(std::chrono::milliseconds delay,
                                                    std::function<void()> on_expiry) = 0;
};

}  // namespace sluice::filter
