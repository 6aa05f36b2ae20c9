// Under which name an answer is stored: all of a request that may decide about it, and that `vary` does not tell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "source/cache/labels.h"
#include "source/http/headers.h"
#include "source/match/header.h"
#include "source/route/table.h"
#include "source/stream/metadata.h"

namespace sluice::extensions::http_filters::cache {

namespace cache = sluice::cache;

// (proto: KeyCreatorParams)
struct KeyRules {
  bool exclude_scheme = false;
  bool exclude_host = false;
  // Of the query only parameters that one of `included` takes (all if it is empty) and none of `excluded`.
  std::vector<match::QueryMatcher> included, excluded;

  // Where a request goes, as far as the cache sees it.
  struct Way {
    const route::Match& route;  // it forwards
    std::string_view cluster;
    const stream::MetadataFields* balancing = nullptr;  // what filters want of the host; null: nothing
  };
  // Host and path are taken as they stand, the order of parameters and repeated ones too: what the upstream may tell
  // apart is apart.
  std::string keyOf(const http::RequestHeaders& request, const Way& way) const;
  // Whether a field of requests is a part of the key.
  bool has(std::string_view lower) const;
  cache::Addressing addressing() const;

 private:
  void appendQuery(std::string_view query, std::string& out) const;
  bool keeps(std::string_view parameter) const;
};

// The route makes another request of this one in a way that depends on more than the key.
bool dependsOnMore(const route::Match& route);

}  // namespace sluice::extensions::http_filters::cache
