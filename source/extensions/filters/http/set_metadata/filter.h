// Leaves fixed values in the dynamic metadata.
// (proto: envoy.extensions.filters.http.set_metadata.v3.Config)
#pragma once

#include <string>
#include <vector>

#include "source/filter/http_filter.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/stream/metadata.h"

namespace sluice::extensions::http_filters::set_metadata {

struct Entry {
  std::string metadata_namespace;
  bool allow_overwrite = false;
  stream::MetadataFields fields;
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::vector<Entry> entries;
  observability::Counter overwrite_denied;
};

using RouteSettings = route::RouteSettings<Settings>;

// What becomes of `known` when `added` comes: structures are merged and lists joined, all else is replaced.
void merge(stream::MetadataValue& known, const stream::MetadataValue& added);

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::set_metadata
