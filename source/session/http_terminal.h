// The terminal filter of a chain that speaks HTTP, as far as others than its connections have to know it.
#pragma once

#include <memory>

#include "source/filter/network.h"
#include "source/session/http_settings.h"

namespace sluice::session {

class HttpTerminal : public filter::TerminalNetworkFilter {
 public:
  explicit HttpTerminal(std::shared_ptr<const HttpSettings> settings) : settings_(std::move(settings)) {}

  const std::shared_ptr<const HttpSettings>& settings() const { return settings_; }

 private:
  const std::shared_ptr<const HttpSettings> settings_;
};

}  // namespace sluice::session
