// Lets requests of consumers in whose connection has shown one of their certificates.
// (proto: sluice.extensions.filters.http.mtls_auth.v1.MtlsAuth)
#pragma once

#include "source/filter/credentials/consumer_gate.h"
#include "source/filter/http_filter.h"

namespace sluice::extensions::http_filters::mtls_auth {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  filter::ConsumerGate gate;
  bool accept_unverified_hashes = false;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::mtls_auth
