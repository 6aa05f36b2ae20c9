#include "source/route/matchers.h"

#include <algorithm>

namespace sluice::route {

RequestView RequestView::of(const http::RequestHeaders& headers) {
  const size_t mark = headers.path.find('?');
  if (mark == std::string_view::npos) return {headers, headers.path, {}};
  return {headers, headers.path.substr(0, mark), headers.path.substr(mark + 1)};
}

bool Conditions::hold(const RequestView& request) const {
  return std::all_of(headers.begin(), headers.end(), [&](const auto& m) { return m.matches(request.headers); }) &&
         std::all_of(query.begin(), query.end(), [&](const auto& m) { return m.matches(request.query); });
}

}  // namespace sluice::route
