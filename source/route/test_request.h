// A request for tests of routes, with an arena of its own, and what else a lookup sees of it.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "source/base/arena.h"
#include "source/http/headers.h"
#include "source/net/transport.h"
#include "source/route/hash_policy.h"
#include "source/route/table.h"
#include "source/stream/stream_info.h"

namespace sluice::route {

// What a connection with TLS tells of its client.
struct TestTls final : net::Transport {
  net::TlsInfo told;

  Status handshake(const Io&) override { return Status::kDone; }
  Result read(const Io&, char*, size_t) override { return {Status::kEnd}; }
  Result write(const Io&, const iovec*, int) override { return {Status::kFailed}; }
  void sendEnd(const Io&) override {}
  const net::TlsInfo* tlsInfo() override { return &told; }
};

class TestRequest {
 public:
  explicit TestRequest(std::string_view path, std::string_view authority = "example.com",
                       std::vector<std::pair<std::string_view, std::string_view>> fields = {})
      : arena_(std::make_unique<base::Arena>()), headers_(std::make_unique<http::RequestHeaders>(*arena_)) {
    headers_->method = "GET";
    headers_->scheme = "http";
    headers_->path = arena_->copy(path);
    headers_->authority = arena_->copy(authority);
    for (const auto& [name, value] : fields) {
      if (name == ":method") {
        headers_->method = arena_->copy(value);
      } else {
        headers_->add(name, value);
      }
    }
  }

  http::RequestHeaders& operator*() { return *headers_; }
  http::RequestHeaders* operator->() { return headers_.get(); }
  base::Arena& arena() { return *arena_; }

  stream::StreamInfo& info() {
    if (!info_) info_ = std::make_unique<stream::StreamInfo>();
    return *info_;
  }
  // Null until something was told.
  const stream::StreamInfo* toldInfo() const { return info_.get(); }
  net::TlsInfo& tls() {
    if (!tls_) tls_ = std::make_unique<TestTls>();
    info().downstream_transport = tls_.get();
    return tls_->told;
  }

 private:
  std::unique_ptr<base::Arena> arena_;
  std::unique_ptr<http::RequestHeaders> headers_;
  std::unique_ptr<TestTls> tls_;
  std::unique_ptr<stream::StreamInfo> info_;
};

// For lookups of tables that have no client given a cookie.
struct NoCookies final : CookieSink {
  void addCookie(std::string_view) override {}
};

// The route of a request, with all that is told of it.
inline Match matchOf(const Table& table, TestRequest& request, uint64_t random = 0) {
  NoCookies cookies;
  return request.toldInfo() == nullptr ? table.match(*request, random)
                                       : table.match(*request, random, *request.toldInfo(), cookies);
}

}  // namespace sluice::route
