#include "source/route/route_tree.h"

#include "source/match/exchange.h"

namespace sluice::route {

match::Result evaluate(const match::Matcher& matcher, const http::RequestHeaders& request,
                       const stream::StreamInfo* info) {
  return matcher.evaluate(match::Exchange(request, info, matcher.needs).data());
}

}  // namespace sluice::route
