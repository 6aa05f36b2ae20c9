// What of a request says that it belongs together with others: the hash that policies choose hosts by.
// (proto: RouteAction.HashPolicy)
//
// It is Envoy's hash. Immutable, shared by all workers; evaluated on the worker of the stream, only if a policy or
// the choice of the cluster asks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/http/headers.h"
#include "source/route/matchers.h"
#include "source/stream/stream_info.h"

namespace sluice::route {

struct HashTerm {
  enum class Kind : uint8_t { kHeader, kCookie, kSourceIp, kQueryParameter, kFilterState };

  Kind kind = Kind::kSourceIp;
  // With a hash so far the terms behind this one are not looked at.
  bool terminal = false;
  std::string name;               // of the header (lower case), cookie, parameter or object
  http::Name id{};                // kHeader: of `name`
  Regex pattern;                  // kHeader: every match in the value is replaced; null: nothing is
  std::string substitution;       // by this, in RE2's form
  bool makes_cookie = false;      // kCookie: one is made where the client has none
  std::string cookie_attributes;  // of that: "; Max-Age=60; Path=/; HttpOnly"
};

using HashPolicy = std::vector<HashTerm>;

// Where cookies go that clients are to be given.
class CookieSink {
 public:
  virtual ~CookieSink() = default;
  // The value of a set-cookie header, of an arena that outlives the response.
  virtual void addCookie(std::string_view set_cookie) = 0;
};

// nullopt: the request has nothing that the terms name. A cookie that is made is told by the client's connection, so
// that requests that race get the same one.
std::optional<uint64_t> hashOf(const HashPolicy& policy, const http::RequestHeaders& request,
                               const stream::StreamInfo& info, CookieSink& cookies);

}  // namespace sluice::route
