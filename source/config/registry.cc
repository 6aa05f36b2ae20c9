#include "source/config/registry.h"

#include "source/config/access_log_factory.h"
#include "source/config/access_log_filter_factory.h"
#include "source/config/cluster_kind_factory.h"
#include "source/config/compression_factory.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/geoip_provider_factory.h"
#include "source/config/http_filter_factory.h"
#include "source/config/lb_policy_factory.h"
#include "source/config/listener_filter_factory.h"
#include "source/config/match_input_factory.h"
#include "source/config/network_filter_factory.h"
#include "source/config/redirect_predicate_factory.h"
#include "source/config/retry_predicate_factory.h"
#include "source/config/terminal_factory.h"
#include "source/config/transport_socket_factory.h"
#include "source/config/udp_filter_factory.h"
#include "source/config/value_matcher_factory.h"

namespace sluice::config {

// Here, where the kinds are complete.
Registry::Registry()
    : http_filters("HTTP filter"),
      terminals("terminal HTTP filter"),
      network_filters("network filter"),
      connection_filters("network filter"),
      listener_filters("listener filter"),
      udp_filters("UDP listener filter"),
      access_logs("access logger"),
      access_log_filters("access log filter"),
      transport_sockets("transport socket"),
      match_inputs("matcher input"),
      value_matchers("input matcher"),
      retry_host_predicates("retry host predicate"),
      retry_priorities("retry priority"),
      redirect_predicates("internal redirect predicate"),
      compressors("compressor"),
      decompressors("decompressor"),
      geoip_providers("geoip provider"),
      lb_policies("load balancing policy"),
      cluster_kinds("cluster") {}

Registry::~Registry() = default;

}  // namespace sluice::config
