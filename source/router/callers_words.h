// What an internal caller asks for in fields that go off the head where they are followed: how long a response may
// take, and for what the request is sent again. Where a redirect leads the request on, the caller asks for the same.
//
// In the stream's arena; only a request whose route follows redirects has one. Thread: the worker's.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "source/http/headers.h"

namespace sluice::router {

class CallersWords {
 public:
  // In front of those who take them off. The values live in the head's arena.
  explicit CallersWords(const http::RequestHeaders& head);

  // The head has these and no others afterwards: what the route has added in their names was for its hosts.
  void putInto(http::RequestHeaders& head) const;

 private:
  static constexpr size_t kWords = 9;
  std::array<std::string_view, kWords> values_;  // null: the caller did not say it
};

}  // namespace sluice::router
