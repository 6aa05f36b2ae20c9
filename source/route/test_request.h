// A request for tests of routes, with an arena of its own.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "source/base/arena.h"
#include "source/http/headers.h"

namespace sluice::route {

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

 private:
  std::unique_ptr<base::Arena> arena_;
  std::unique_ptr<http::RequestHeaders> headers_;
};

}  // namespace sluice::route
