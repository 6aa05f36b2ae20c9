// Under which name an answer is stored: all of a request that may decide about it, and that `vary` does not tell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "source/http/headers.h"
#include "source/match/header.h"
#include "source/route/table.h"

namespace sluice::extensions::http_filters::cache {

// (proto: KeyCreatorParams)
struct KeyRules {
  bool exclude_scheme = false;
  bool exclude_host = false;
  // Of the query only parameters that one of `included` takes (all if it is empty) and none of `excluded`.
  std::vector<match::QueryMatcher> included, excluded;

  // `cluster`: where the request goes. Host and path are taken as they stand, the order of parameters and repeated ones
  // too: what the upstream may tell apart is apart. `with_fields`: those that applications look at unasked, too.
  std::string keyOf(const http::RequestHeaders& request, const route::Match& route, std::string_view cluster,
                    bool with_fields = true) const;
  // Whether a field of requests is a part of the key.
  bool has(std::string_view lower) const;

 private:
  void appendQuery(std::string_view query, std::string& out) const;
  bool keeps(std::string_view parameter) const;
};

// The route makes another request of this one in a way that depends on more than the key.
bool dependsOnMore(const route::Match& route);

}  // namespace sluice::extensions::http_filters::cache
