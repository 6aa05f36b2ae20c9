// What goes to a client in the place of the answer that there was.
// (proto: envoy.extensions.http.custom_response: LocalResponsePolicy, RedirectPolicy)
//
// Compiled configuration; immutable, shared by all streams and workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "source/http/headers.h"
#include "source/match/tree.h"
#include "source/observability/stats.h"
#include "source/route/mutation.h"
#include "source/stream/body_format.h"

namespace sluice::extensions::http_filters::custom_response {

struct LocalResponse {
  std::string body;
  std::optional<stream::BodyFormat> format;  // makes the body, of `body` among others
  std::optional<uint16_t> status;            // nullopt: as it was
  route::HeaderMutations headers;
};

// Where an answer is got from. What is empty, or 0, is as in the request.
struct Target {
  std::string scheme;
  std::string host;  // with its port, where there is one and `port` is 0
  uint16_t port = 0;
  std::string path;  // with a query of its own if there is a '?' in it
  bool strip_query = false;

  // Changes the request's target; false: it has none that can be changed so, a path.
  bool applyTo(http::RequestHeaders& request) const;
};

struct Redirect {
  // In bytes; a larger answer is a failure.
  static constexpr size_t kMaxBody = 1 << 20;

  Target target;
  std::optional<uint16_t> status;  // of an answer with 2xx; nullopt: as it comes
  route::HeaderMutations request_headers, response_headers;
  observability::Counter no_route, invalid_uri;
};

// What a tree of answers leads to: its actions are places in `policies`.
struct Responses {
  std::shared_ptr<const match::Matcher> matcher;  // null: takes nothing
  std::vector<std::variant<LocalResponse, Redirect>> policies;
};

}  // namespace sluice::extensions::http_filters::custom_response
