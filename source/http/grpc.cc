#include "source/http/grpc.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/str_cat.h"
#include "source/base/ascii.h"

namespace sluice::http::grpc {
bool isGrpcContentType(std::string_view content_type) {
  if (content_type.size() < kContentType.size()) return false;
  if (!base::equalsLowered(content_type.substr(0, kContentType.size()), kContentType)) return false;
  return content_type.size() == kContentType.size() || content_type[kContentType.size()] == '+';
}

bool isGrpcRequest(const RequestHeaders& headers) {
  const auto type = headers.get(Name::kContentType);
  return type && isGrpcContentType(*type);
}

int statusOfHttp(uint16_t http_status) {
  switch (http_status) {
    case 400:
      return kInternal;
    case 401:
      return kUnauthenticated;
    case 403:
      return kPermissionDenied;
    case 404:
      return kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return kUnavailable;
    default:
      return kUnknown;
  }
}

uint16_t httpOfStatus(int grpc_status) {
  static constexpr uint16_t kStatuses[] = {200, 499, 500, 400, 504, 404, 409, 403, 429,
                                           400, 409, 400, 501, 500, 503, 500, 401};
  return grpc_status >= 0 && grpc_status <= kMaxStatus ? kStatuses[grpc_status] : 500;
}

int parseStatus(std::string_view text) {
  int status = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
  return error == std::errc() && end == text.data() + text.size() && status >= 0 ? status : -1;
}

std::string encodeMessage(std::string_view message) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(message.size());
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7e && c != '%') {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

std::string decodeMessage(std::string_view encoded) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  std::string out;
  out.reserve(encoded.size());
  for (size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] == '%' && i + 2 < encoded.size() && digit(encoded[i + 1]) >= 0 && digit(encoded[i + 2]) >= 0) {
      out += static_cast<char>(digit(encoded[i + 1]) << 4 | digit(encoded[i + 2]));
      i += 2;
    } else {
      out += encoded[i];
    }
  }
  return out;
}

std::optional<std::chrono::milliseconds> parseTimeout(std::string_view text) {
  constexpr size_t kMaxDigits = 8;
  if (text.size() < 2 || text.size() > kMaxDigits + 1) return std::nullopt;
  int64_t number = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  constexpr std::chrono::hours kLongest(24 * 365 * 100);
  switch (text.back()) {
    case 'H':
      return std::min(std::chrono::hours(number), kLongest);
    case 'M':
      return std::min<std::chrono::minutes>(std::chrono::minutes(number), kLongest);
    case 'S':
      return std::chrono::seconds(number);
    case 'm':
      return std::chrono::milliseconds(number);
    case 'u':
      return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::microseconds(number));
    case 'n':
      return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::nanoseconds(number));
    default:
      return std::nullopt;
  }
}

std::string formatTimeout(std::chrono::milliseconds timeout) {
  constexpr int64_t kMaxNumber = 99'999'999;
  const int64_t milliseconds = timeout.count();
  if (milliseconds <= kMaxNumber) return absl::StrCat(milliseconds, "m");
  return absl::StrCat(std::min(milliseconds / 1000, kMaxNumber), "S");
}

void appendFrameHead(std::string& out, uint8_t flag, uint32_t size) {
  out += static_cast<char>(flag);
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift);
}

std::string framed(std::string_view message, uint8_t flag) {
  std::string out;
  out.reserve(kFrameHead + message.size());
  appendFrameHead(out, flag, static_cast<uint32_t>(message.size()));
  out += message;
  return out;
}

uint32_t messageLength(std::string_view head) {
  uint32_t length = 0;
  for (size_t i = 1; i < kFrameHead; ++i) length = length << 8 | static_cast<uint8_t>(head[i]);
  return length;
}

uint64_t MessageCounter::count(std::string_view bytes) {
  uint64_t messages = 0;
  while (!bytes.empty()) {
    if (head_ < kFrameHead) {
      if (head_ == 0)
        ++messages;
      else
        length_ = length_ << 8 | static_cast<unsigned char>(bytes[0]);
      bytes.remove_prefix(1);
      if (++head_ < kFrameHead) continue;
    }
    const size_t take = std::min<size_t>(length_, bytes.size());
    bytes.remove_prefix(take);
    length_ -= static_cast<uint32_t>(take);
    if (length_ == 0) head_ = 0;
  }
  return messages;
}

}  // namespace sluice::http::grpc
