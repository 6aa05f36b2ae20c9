#include "source/extensions/filters/http/grpc_web/base64_stream.h"

#include <algorithm>

#include "source/http/grpc.h"

namespace sluice::extensions::http_filters::grpc_web {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int valueOf(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

}  // namespace

bool Base64Decoder::decode(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (c == '=') {
      if (size_ < 2) return false;
      ++padding_;
      group_ <<= 6;
    } else {
      const int value = valueOf(c);
      if (value < 0 || padding_ > 0) return false;
      group_ = group_ << 6 | static_cast<uint32_t>(value);
    }
    if (++size_ < 4) continue;
    out += static_cast<char>(group_ >> 16);
    if (padding_ < 2) out += static_cast<char>(group_ >> 8);
    if (padding_ < 1) out += static_cast<char>(group_);
    group_ = 0;
    size_ = padding_ = 0;
  }
  return true;
}

void Base64Encoder::encode(std::string_view bytes, std::string& out) {
  for (const char c : bytes) {
    group_ = group_ << 8 | static_cast<unsigned char>(c);
    if (++size_ < 3) continue;
    for (int shift = 18; shift >= 0; shift -= 6) out += kAlphabet[group_ >> shift & 63];
    group_ = 0;
    size_ = 0;
  }
}

void Base64Encoder::flush(std::string& out) {
  if (size_ == 0) return;
  group_ <<= 8 * (3 - size_);
  out += kAlphabet[group_ >> 18 & 63];
  out += kAlphabet[group_ >> 12 & 63];
  out += size_ == 2 ? kAlphabet[group_ >> 6 & 63] : '=';
  out += '=';
  group_ = 0;
  size_ = 0;
}

void FrameEncoder::encode(std::string_view bytes, std::string& out) {
  using http::grpc::kFrameHead;
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4 + 4);
  while (!bytes.empty()) {
    size_t take = 1;
    if (head_ < kFrameHead) {
      if (++head_ > 1) left_ = left_ << 8 | static_cast<unsigned char>(bytes[0]);
    } else {
      take = std::min<size_t>(left_, bytes.size());
      left_ -= static_cast<uint32_t>(take);
    }
    encoder_.encode(bytes.substr(0, take), out);
    bytes.remove_prefix(take);
    if (head_ < kFrameHead || left_ > 0) continue;
    encoder_.flush(out);
    head_ = 0;
  }
}

}  // namespace sluice::extensions::http_filters::grpc_web
