// Lets requests of consumers in that show one of their keys.
// (proto: sluice.extensions.filters.http.key_auth.v1.KeyAuth)
#pragma once

#include <vector>

#include "source/filter/credentials/consumer_gate.h"
#include "source/filter/credentials/key_sources.h"
#include "source/filter/http_filter.h"

namespace sluice::extensions::http_filters::key_auth {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  filter::ConsumerGate gate;
  std::vector<filter::KeySource> key_sources;
  bool hide_credentials = false;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  filter::HookResult admit(http::RequestHeaders& headers, filter::Context& context) const;

  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::key_auth
