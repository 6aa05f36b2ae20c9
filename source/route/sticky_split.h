// Divides users between the shares of a route: who a request's user is, and where that user stands.
// (proto: sluice.route.v1.StickySplit)
//
// A user's point is the first eight bytes, as a big-endian number, of SHA-256(rollout, a zero byte, user). Shares are
// ranges of all points, so anybody who knows a user can tell the share. Never change how points are made: it would move
// the users of all rollouts.
// Immutable, shared by all workers. Text lives in the arena of the request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/http/cookie.h"
#include "source/http/headers.h"
#include "source/stream/metadata.h"

namespace sluice::route {

class StickySplit {
 public:
  struct Key {
    enum class Source : uint8_t { kHeader, kCookie, kAddress, kMetadata };
    Source source;
    std::string name;                    // a header's in lower case; of a filter for kMetadata; empty for kAddress
    std::vector<std::string> path = {};  // kMetadata: below the filter's name
  };
  // (proto: StickySplit.AnonymousUsers)
  struct Anonymous {
    http::CookieSettings cookie;
    std::vector<std::string> secrets;  // at least one; the first one signs
  };
  struct Place {
    uint64_t point = 0;           // of [0, 2^64)
    std::string_view set_cookie;  // what the response has to set; empty: nothing
  };

  StickySplit(std::string rollout, std::vector<Key> keys, std::optional<Anonymous> anonymous);

  // `remote_address`: with or without a port. `random` becomes the point, or the identity, of a user without a key.
  // `metadata`: what filters left; null: nothing.
  Place placeOf(const http::RequestHeaders& request, std::string_view remote_address, uint64_t random,
                const stream::DynamicMetadata* metadata = nullptr) const;
  // Whether filters left something that tells the user.
  bool knowsUserBy(const stream::DynamicMetadata& metadata) const;

  static uint64_t pointOf(std::string_view rollout, std::string_view user);
  // The order of shares along the points: the first one in the middle, the second at the lower end, the third at the
  // upper end, and so on inwards, so that each grows out of the first.
  static std::vector<size_t> orderOfShares(size_t count);

 private:
  // What a cookie says.
  struct Signed {
    std::string_view id;  // empty: it is none of ours
    bool anew = false;    // another secret than the first signed it, and may be taken away
  };
  std::string_view keyOf(const http::RequestHeaders& request, std::string_view remote_address,
                         const stream::DynamicMetadata* metadata) const;
  Signed signedUser(std::string_view cookie) const;
  // That of the user, for the response.
  std::string_view cookieOf(const http::RequestHeaders& request, std::string_view id) const;

  const std::string rollout_;
  const std::vector<Key> keys_;
  std::optional<Anonymous> anonymous_;  // its secrets are keys made of those given
  http::CookieSettings secure_cookie_;  // over https
};

}  // namespace sluice::route
