// What of gRPC over HTTP/2 the data path knows: its content type, its statuses, its frames.
// (docs: "gRPC over HTTP2" and "HTTP to gRPC status code mapping" of the gRPC project)
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "source/http/headers.h"

namespace sluice::http::grpc {

inline constexpr std::string_view kContentType = "application/grpc";

// Status codes that are used by name here; any number up to kMaxStatus is a status.
inline constexpr int kOk = 0;
inline constexpr int kUnknown = 2;
inline constexpr int kInvalidArgument = 3;
inline constexpr int kDeadlineExceeded = 4;
inline constexpr int kPermissionDenied = 7;
inline constexpr int kResourceExhausted = 8;
inline constexpr int kFailedPrecondition = 9;
inline constexpr int kUnimplemented = 12;
inline constexpr int kInternal = 13;
inline constexpr int kUnavailable = 14;
inline constexpr int kUnauthenticated = 16;
inline constexpr int kMaxStatus = 16;

// "application/grpc" or "application/grpc+anything"; not grpc-web. Case does not matter.
bool isGrpcContentType(std::string_view content_type);
bool isGrpcRequest(const RequestHeaders& headers);

// What an HTTP status means to a gRPC client that gets no grpc-status.
int statusOfHttp(uint16_t http_status);
// The HTTP status that says about the same.
uint16_t httpOfStatus(int grpc_status);
// The number of a grpc-status field, -1 if it is none.
int parseStatus(std::string_view text);

// A message as it stands in grpc-message: bytes outside 0x20..0x7e, and '%', are percent-encoded.
std::string encodeMessage(std::string_view message);
// The other way; what is not encoded properly stays as it is.
std::string decodeMessage(std::string_view encoded);

// The value of a grpc-timeout field: one to eight digits and a unit (H, M, S, m, u, n), rounded up to milliseconds,
// at most 100 years (what a clock can count). Nothing if it is anything else. (docs: Timeout)
std::optional<std::chrono::milliseconds> parseTimeout(std::string_view text);
// The other way; what eight digits cannot say in milliseconds is told in seconds.
std::string formatTimeout(std::chrono::milliseconds timeout);

// Five bytes in front of each message: a flag (1: compressed, 0x80: trailers of grpc-web) and its length.
inline constexpr size_t kFrameHead = 5;
void appendFrameHead(std::string& out, uint8_t flag, uint32_t size);
// A message behind its head.
std::string framed(std::string_view message, uint8_t flag = 0);
// Of the message behind a head, which is whole.
uint32_t messageLength(std::string_view head);

// Counts the messages of a body that comes in pieces.
class MessageCounter {
 public:
  // How many messages begin in these bytes.
  uint64_t count(std::string_view bytes);

 private:
  uint8_t head_ = 0;     // bytes of the frame's head seen
  uint32_t length_ = 0;  // of the message, as far as known; then what is left of it
};

}  // namespace sluice::http::grpc
