// Changes headers and trailers as they pass: what the filter says, then what the levels of the route say.
// (proto: envoy.extensions.filters.http.header_mutation.v3.HeaderMutation, HeaderMutationPerRoute)
#pragma once

#include <vector>

#include "source/extensions/filters/http/header_mutation/query_changes.h"
#include "source/filter/http_filter.h"
#include "source/route/filter_slots.h"
#include "source/route/mutation.h"

namespace sluice::extensions::http_filters::header_mutation {

// One after the other.
using Changes = std::vector<route::HeaderMutations>;

struct Mutations {
  Changes request, request_trailers, response, response_trailers;
  std::vector<QueryChange> query;  // behind `request`
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  Mutations mutations;
  bool most_specific_wins = false;  // of the levels of a route; false: the least specific has the last word
};

using RouteSettings = route::RouteSettings<Mutations>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestTrailers(http::Trailers& trailers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseTrailers(http::Trailers& trailers, filter::Context& context) override;

 private:
  // Changes `list`, and the query where `which` is that of requests.
  filter::HookResult change(http::HeaderList& list, const Changes Mutations::*which, filter::Context& context) const;

  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::header_mutation
