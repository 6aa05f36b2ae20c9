#include "source/session/last_hop.h"

#include <algorithm>
#include <string>

#include "source/http/rules.h"

namespace sluice::session {

std::optional<filter::Reply> answerLastHop(http::RequestHeaders& headers) {
  constexpr std::string_view kMaxForwards = "max-forwards";
  constexpr uint64_t kMost = 1'000'000;  // what is higher is lowered to this
  const bool options = headers.method == "OPTIONS";
  bool last = options && headers.path == "*";
  uint64_t left = 0;
  // One that is no number says nothing.
  if (const auto field = headers.get(kMaxForwards); field && http::parseLength(*field, left)) {
    last |= left == 0;
    if (!last) headers.set(kMaxForwards, std::to_string(std::min(left - 1, kMost)));
  }
  if (!last) return std::nullopt;
  // The request is not shown to who sent it: proxies in front may have put secrets into it.
  return filter::Reply{options ? uint16_t{200} : uint16_t{405},
                       "",
                       "last_hop",
                       {{"allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, QUERY"}}};
}

}  // namespace sluice::session
