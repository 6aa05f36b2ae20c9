// Routes and clusters by a matcher, for requests. (proto: VirtualHost.matcher, MatcherClusterSpecifier)
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "source/http/headers.h"
#include "source/match/tree.h"
#include "source/route/path_index.h"
#include "source/route/route.h"
#include "source/stream/stream_info.h"

namespace sluice::route {

// Which routes of a virtual host a request is for. Their own matchers are asked then, in order.
struct RouteTree {
  struct List {
    std::span<const Route> routes;
    std::unique_ptr<const PathIndex> index;  // null where asking each is cheaper
  };

  std::shared_ptr<const match::Matcher> matcher;
  std::vector<List> lists;  // by the numbers of its actions
};

// What a matcher that has no more to look at than match::kRequestParts says of a request. `info`: null where nothing
// but the head is known; what filters left and the client's address are absent then.
match::Result evaluate(const match::Matcher& matcher, const http::RequestHeaders& request,
                       const stream::StreamInfo* info);

}  // namespace sluice::route
