// Has connections to hosts come from the client's address.
// (proto: envoy.extensions.filters.listener.original_src.v3.OriginalSrc)
#pragma once

#include "source/filter/listener_filter.h"

namespace sluice::extensions::listener_filters::original_src {

// Compiled configuration; immutable, shared by all workers.
struct Settings {
  bool bind_port = false;
  uint32_t mark = 0;  // 0: none
};

class Filter : public filter::ListenerFilter {
 public:
  explicit Filter(Settings settings) : settings_(settings) {}

  size_t window() const override { return 0; }
  // Clients without an IP address (of Unix sockets, of this process) have none to give.
  Result inspect(std::string_view, filter::Accepted& accepted, observability::StatsCells&) const override {
    if (accepted.remote.isIp()) {
      stream::madeIn(accepted.state).source = {settings_.bind_port ? accepted.remote : accepted.remote.withPort(0),
                                               settings_.mark};
    }
    return {Verdict::kDone};
  }

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::listener_filters::original_src
