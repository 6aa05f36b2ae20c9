// Heads for tests.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "source/base/arena.h"
#include "source/cache/stored_response.h"
#include "source/http/headers.h"

namespace sluice::cache::testing {

using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// 2026-01-01T00:00:00Z, in the texts of these tests "Thu, 01 Jan 2026 00:00:00 GMT".
inline constexpr http::Date kWall{seconds(1767225600)};
inline constexpr Time kNow{std::chrono::hours(1000)};

struct Request {
  Request(Fields fields = {}) {
    head.method = "GET";
    for (const auto& [name, value] : fields) head.add(name, value);
  }
  base::Arena arena;
  http::RequestHeaders head{arena};
};

struct Response {
  Response(Fields fields = {}, uint16_t status = 200) {
    head.status = status;
    for (const auto& [name, value] : fields) head.add(name, value);
  }
  base::Arena arena;
  http::ResponseHeaders head{arena};
};

inline Exchange exchangeAt(Time now = kNow) {
  return {.requested = now, .received = now, .wall_received = kWall};
}

// Null: it may not be stored.
inline std::shared_ptr<StoredResponse> stored(Fields fields, std::string body = "0123456789") {
  Response response(fields);
  auto out = storable(response.head, exchangeAt());
  if (out) out->body = std::make_shared<const std::string>(std::move(body));
  return out;
}

}  // namespace sluice::cache::testing
