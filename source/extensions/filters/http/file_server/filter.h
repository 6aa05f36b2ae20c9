// Answers requests with files.
// (proto: envoy.extensions.filters.http.file_server.v3.FileServerConfig)
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/base/shared_limit.h"
#include "source/extensions/filters/http/file_server/tree.h"
#include "source/filter/http_filter.h"
#include "source/route/filter_slots.h"

namespace sluice::extensions::http_filters::file_server {

struct Mapping {
  std::string request_prefix;  // begins with a slash
  std::string file_prefix;

  // The part of `path` (encoded) behind the prefix; nullopt if it is another path. The prefix ends with a segment.
  std::optional<std::string_view> rest(std::string_view path) const;
};

// Compiled configuration; immutable but for the places, shared by all streams and workers.
struct Settings {
  std::vector<Mapping> mappings;  // the longest prefix first
  std::map<std::string, std::string, std::less<>> content_types;
  std::string default_content_type;
  std::vector<std::string> folder_behaviors;  // names of files; empty: its listing
  std::shared_ptr<base::SharedLimit> places;  // of files that are open, for the process; never null

  // Empty: there is none for that name.
  std::string_view contentTypeOf(std::string_view path) const;
};

using RouteSettings = route::RouteSettings<Settings>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& request, filter::Context& context) override;

 private:
  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::file_server
