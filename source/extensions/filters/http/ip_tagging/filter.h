// Names the ranges that a client's address is in, in a header of its request.
// (proto: envoy.extensions.filters.http.ip_tagging.v3.IPTagging)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "source/filter/http_filter.h"
#include "source/filter/request_type.h"
#include "source/net/cidr.h"
#include "source/observability/stats.h"
#include "source/runtime/fraction.h"
#include "source/worker/exchanged.h"

namespace sluice::extensions::http_filters::ip_tagging {

struct Tag {
  std::string name;
  observability::Counter hit;
};

struct TagSet {
  std::vector<Tag> tags;
  net::CidrMap<std::vector<uint32_t>> ranges;  // tags by their places above
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  filter::RequestType request_type = filter::RequestType::kBoth;
  runtime::Fraction enabled{1, 1};  // of the requests
  TagSet tags;
  std::shared_ptr<const worker::Exchanged<TagSet>> file;  // instead of `tags`; null: none
  std::string header = "x-envoy-ip-tags";                 // lower case
  bool sanitize = false;                                  // what the request brings there is taken off
  observability::Counter no_hit, total;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::ip_tagging
