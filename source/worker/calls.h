// The call-out port: what code on a worker may ask of the world (filters beside their own streams, access loggers, what
// a worker keeps for itself).
//
// A call is a handle: destroying it cancels the call, so no answer outlives its asker. Answers never come inside the
// call that asks. Thread: the worker's.
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
  // "protocol_error", "timeout", "overflow", "drop_overload", "response_too_large").
  uint16_t status = 0;
  std::string_view failure;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

class Call {
 public:
  virtual ~Call() = default;
};

// --- HTTP in pieces --------------------------------------------------------------------------------------------------

// Told from the loop, never inside a call of the asker; each may destroy the call. After the end (end_stream, trailers
// or failure) nothing follows.
class HttpStreamEvents {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  virtual ~HttpStreamEvents() = default;
  virtual void onHead(uint16_t status, Fields headers, bool end_stream) = 0;
  // Valid during the call.
  virtual void onData(std::string_view data, bool end_stream) = 0;
  virtual void onTrailers(Fields trailers) = 0;
  // The call failed, before its head or in the middle: as HttpCallResponse::failure.
  virtual void onFailure(std::string_view failure) = 0;
  // How many bytes of the body may be brought now. From a host of HTTP/2 more may come, as much as its window; then no
  // more until there is credit.
  virtual size_t credit() { return 64 * 1024; }
  // unsentBytes() has shrunk.
  virtual void onProgress() {}
};

// A request whose body goes out, and whose answer comes in, as there is some. It is sent once: what fails is told.
class HttpStreamCall : public Call {
 public:
  // What is sent before there is a connection waits. Nothing more behind `end_stream` or trailers.
  virtual void sendData(std::string_view data, bool end_stream) = 0;
  virtual void sendTrailers(HttpStreamEvents::Fields trailers) = 0;
  // Bytes of the body that wait for the host: who sends much looks at it.
  virtual size_t unsentBytes() const = 0;
  // credit() has grown from 0.
  virtual void resumeReading() = 0;
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
  // Opens a call whose body follows by sendData, unless `end_stream`: then the head is all of it. `request.body` and
  // max_response_body are not used; the timeout is that of the whole call. `events` outlives the handle.
  // Null where calls are made whole only (main).
  [[nodiscard]] virtual std::unique_ptr<HttpStreamCall> openHttp(HttpCallRequest, bool /*end_stream*/,
                                                                 HttpStreamEvents&) {
    return nullptr;
  }
  // Sends a request that goes on when its stream has ended, and whose answer nobody waits for. Without a timeout it
  // gets 15 s. False: kMaxDetached of this worker are under way, and it was dropped.
  static constexpr size_t kMaxDetached = 1024;
  virtual bool sendDetached(HttpCallRequest) { return false; }
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
