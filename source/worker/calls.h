// The call-out port: what code on a worker may ask of the world (filters beside their own streams, access loggers, what
// a worker keeps for itself).
//
// A call is a handle: destroying it cancels the call, so no answer outlives its asker. Answers never come inside
// send(). Thread: the worker's.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::worker {

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

// --- gRPC ----------------------------------------------------------------------------------------------------------

struct GrpcCallRequest {
  std::string cluster;
  std::string path;                                           // "/envoy.service.auth.v3.Authorization/Check"
  std::string authority;                                      // empty: the cluster's name
  std::vector<std::pair<std::string, std::string>> metadata;  // names in lower case
  std::chrono::milliseconds timeout{0};                       // of the whole call, sent as grpc-timeout too; 0: none
  size_t max_message = 4 * 1024 * 1024;                       // a larger one of the server ends the call with status 8
};

// Told from the loop, never inside a call of the asker.
class GrpcEvents {
 public:
  virtual ~GrpcEvents() = default;
  // A whole message, without its frame; valid during the call.
  virtual void onGrpcMessage(std::string_view message) = 0;
  // The end; nothing follows. `status`: the server's grpc-status, or one for what went wrong (14 UNAVAILABLE: no
  // cluster, no host, connection failed; 4 DEADLINE_EXCEEDED; 13 INTERNAL: what came is not gRPC).
  virtual void onGrpcEnd(int status, std::string_view message) = 0;
  // unsentBytes() has shrunk.
  virtual void onGrpcProgress() {}
};

class GrpcCall : public Call {
 public:
  // One message; the frame is put around it. `last`: this side sends no more.
  virtual void sendMessage(std::string_view message, bool last) = 0;
  virtual void sendEnd() = 0;
  // Bytes that wait for the server.
  virtual size_t unsentBytes() const = 0;
};

class Calls {
 public:
  virtual ~Calls() = default;
  // Opens a call of any kind (unary, or streaming either way) on the cluster's HTTP/2 connections. `events` outlives
  // the handle.
  [[nodiscard]] virtual std::unique_ptr<GrpcCall> openGrpc(GrpcCallRequest request, GrpcEvents& events) = 0;
  [[nodiscard]] virtual std::unique_ptr<Call> send(HttpCallRequest request,
                                                   std::function<void(HttpCallResponse)> on_response) = 0;
  // Runs `on_expiry` once after `delay`.
  [[nodiscard]] virtual std::unique_ptr<Call> after(std::chrono::milliseconds delay,
                                                    std::function<void()> on_expiry) = 0;
  // Counts in "cluster.CLUSTER.", under a name that is known only now; nothing if there is no such cluster.
  virtual void count(std::string_view /*cluster*/, std::string_view /*name*/, uint64_t /*n*/) {}
};

// For chains without filters: nobody asks.
class NoCalls final : public Calls {
 public:
  std::unique_ptr<GrpcCall> openGrpc(GrpcCallRequest, GrpcEvents&) override { return nullptr; }
  std::unique_ptr<Call> send(HttpCallRequest, std::function<void(HttpCallResponse)>) override { return nullptr; }
  std::unique_ptr<Call> after(std::chrono::milliseconds, std::function<void()>) override { return nullptr; }
};

}  // namespace sluice::worker
