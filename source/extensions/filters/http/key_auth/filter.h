// Lets requests of consumers in that show one of their keys.
// (proto: sluice.extensions.filters.http.key_auth.v1.KeyAuth)
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "source/extensions/filters/http/key_auth/consumers.h"
#include "source/filter/credentials/key_sources.h"
#include "source/filter/http_filter.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"

namespace sluice::extensions::http_filters::key_auth {

// Who may use a route.
struct Access {
  absl::flat_hash_set<std::string> allowed_groups;  // empty: all
  absl::flat_hash_set<std::string> denied_groups;

  bool admits(const Consumer& consumer) const;
};

using RouteSettings = route::RouteSettings<Access>;

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::shared_ptr<const ConsumerFile> file;
  std::vector<filter::KeySource> key_sources;
  std::string forward_header;  // lower case; empty: the consumer is not told
  bool hide_credentials = false;
  Access everybody;
  observability::Counter allowed, anonymous, unauthorized, forbidden;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  filter::Reply unauthorized(filter::Context& context, std::string_view details) const;

  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::key_auth
