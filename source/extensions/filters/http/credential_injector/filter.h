// Gives requests a credential that clients do not have.
// (proto: envoy.extensions.filters.http.credential_injector.v3.CredentialInjector)
#pragma once

#include <memory>
#include <string>

#include "source/filter/http_filter.h"
#include "source/observability/stats.h"
#include "source/worker/exchanged.h"

namespace sluice::extensions::http_filters::credential_injector {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::string header;  // in lower case
  std::string prefix;  // in front of the secret
  std::shared_ptr<const worker::Exchanged<std::string>> secret;
  bool overwrite = false;
  bool allow_without = false;  // a request goes on if there is no secret
  observability::Counter injected, already_exists, failed;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::credential_injector
