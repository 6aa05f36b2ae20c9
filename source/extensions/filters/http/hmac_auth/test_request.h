// A request for tests of what signatures sign.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/base/arena.h"
#include "source/http/headers.h"

namespace sluice::extensions::http_filters::hmac_auth::testing {

struct TestRequest {
  using Fields = std::vector<std::pair<std::string, std::string>>;

  TestRequest(std::string_view method, std::string_view path, const Fields& fields = {}) {
    headers.method = arena.copy(method);
    headers.path = arena.copy(path);
    headers.authority = "example.com";
    headers.scheme = "https";
    for (const auto& [name, value] : fields) headers.add(name, value);
  }

  base::Arena arena;
  http::RequestHeaders headers{arena};
};

}  // namespace sluice::extensions::http_filters::hmac_auth::testing
