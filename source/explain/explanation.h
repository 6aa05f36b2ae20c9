// What becomes of a request, as values: nothing in it points into a configuration.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "source/explain/configuration.h"

namespace sluice::explain {

// Where something stands in the configuration.
struct Place {
  std::string path;  // of the field, within its resource; empty: not known
  std::string file;  // empty: it is not from a file
  int line = 0;      // from 1; 0: not known
  int column = 0;

  bool operator==(const Place&) const = default;
};

struct ListenerPart {
  std::string name;
  std::vector<std::string> addresses;
  std::string why;   // it is this one
  std::string note;  // Listener::note
  Place place;

  bool operator==(const ListenerPart&) const = default;
};

struct ChainPart {
  std::string name;              // empty: it has none
  size_t index = 0;              // among filter_chains; behind them: default_filter_chain
  bool is_default = false;       // it takes what no other does
  std::vector<std::string> why;  // what of the connection it was chosen by, one criterion each
  bool tls = false;              // it has a transport socket
  Place place;

  bool operator==(const ChainPart&) const = default;
};

// The head as the router sees it.
struct RequestPart {
  std::string method, scheme, authority, path;
  std::string host;    // by which the virtual host is found
  std::string client;  // whom the proxy takes for the client: an address

  bool operator==(const RequestPart&) const = default;
};

struct VirtualHostPart {
  std::string name;
  std::string domain;  // of its domains the one that matched; empty: not known
  std::string table;   // the name of the route table; may be empty
  std::string scope;   // how its table was found, if by scopes; else empty
  Place place;

  bool operator==(const VirtualHostPart&) const = default;
};

// A route that stands in front of the one that was taken and takes the same path.
struct PassedRoute {
  size_t index = 0;
  std::string name;
  std::string why;  // it was not taken

  bool operator==(const PassedRoute&) const = default;
};

struct RoutePart {
  std::string name;                 // empty: it has none
  std::optional<size_t> index;      // among the virtual host's; nullopt: `require_tls` of the virtual host
  std::string matched;              // "prefix /api", and what else it asks
  std::vector<PassedRoute> passed;  // at most 20
  // Other routes that chance may choose (`runtime_fraction`), by name or number.
  std::vector<std::string> others_by_chance;
  Place place;

  bool operator==(const RoutePart&) const = default;
};

// The proxy answers by itself.
struct Answer {
  uint16_t status = 0;
  std::string details;   // %RESPONSE_CODE_DETAILS%
  std::string location;  // of redirects
  std::string body;      // of direct responses, if it is text without operators; at most 1024 bytes

  bool operator==(const Answer&) const = default;
};

struct HeaderChange {
  std::string action;  // "remove", "append", "add_if_absent", "overwrite", "overwrite_if_exists"
  std::string name;    // of the header; of "remove" a pattern may stand here
  std::string value;   // for this request, as far as it is known before it is sent; credentials are redacted
  std::string source;  // "connection manager", "cluster 'c'", "route 'r'", "virtual host 'v'", "table 't'"

  bool operator==(const HeaderChange&) const = default;
};

struct Share {
  std::string cluster;  // empty: the request names it in `header`
  std::string header;
  uint64_t weight = 0;  // of `total`
  uint64_t total = 0;
  bool chosen = false;  // for this request, where it is no chance

  double percent() const { return total == 0 ? 0 : 100.0 * static_cast<double>(weight) / static_cast<double>(total); }
  bool operator==(const Share&) const = default;
};

struct RetryPart {
  std::vector<std::string> on;
  uint32_t num_retries = 0;
  std::chrono::milliseconds per_try_timeout{0};       // 0: none
  std::chrono::milliseconds per_try_idle_timeout{0};  // 0: none
  std::chrono::milliseconds base_interval{0}, max_interval{0};
  std::vector<uint32_t> status_codes;

  bool operator==(const RetryPart&) const = default;
};

struct MirrorPart {
  std::string cluster;  // or "header NAME"
  double percent = 0;

  bool operator==(const MirrorPart&) const = default;
};

// The request goes to a cluster.
struct ForwardPart {
  std::string cluster;        // empty: chance decides among `shares`
  std::string decided_by;     // "route", "header x-cluster", "user" (a sticky split), "hash", "matcher", "chance", ...
  std::vector<Share> shares;  // empty: there is one cluster
  std::string authority, path;  // as the host gets them, if it does not change that (`auto_host_rewrite`)
  std::string priority = "default";
  std::optional<std::chrono::milliseconds> timeout;              // nullopt: none
  std::optional<std::chrono::milliseconds> idle_timeout;         // nullopt: none
  std::optional<std::chrono::milliseconds> max_stream_duration;  // nullopt: none
  std::optional<RetryPart> retry;
  std::vector<std::string> hash_policy;  // one term each
  std::vector<MirrorPart> mirrors;

  bool operator==(const ForwardPart&) const = default;
};

// One level at which something is said of a filter.
struct FilterLevel {
  std::string level;     // "table", "virtual_host", "route" or "cluster"
  std::string resource;  // its name; may be empty
  bool disabled = false;
  bool settings = false;  // it has settings, and not only a switch
  Place place;

  bool operator==(const FilterLevel&) const = default;
};

struct FilterRule {
  std::string text;  // as HttpFilterConfigFactory::explain tells it
  Place place;

  bool operator==(const FilterRule&) const = default;
};

struct FilterPart {
  std::string name;
  std::string type;     // its message; empty: not known
  bool enabled = true;  // for this route
  std::string why;      // it is or is not, if somebody said so
  bool access = false;  // it decides about who gets in
  std::vector<FilterLevel> levels;
  std::string settings;     // JSON of the message that holds; private values are redacted. Empty: not known
  std::string settings_of;  // "filter", or the level that they are of
  std::vector<FilterRule> rules;
  Place place;

  bool operator==(const FilterPart&) const = default;
};

struct Explanation {
  ListenerPart listener;
  ChainPart chain;
  RequestPart request;
  std::optional<VirtualHostPart> virtual_host;  // nullopt: none has the host
  std::optional<RoutePart> route;               // nullopt: none takes the request
  std::vector<PassedRoute> near_misses;         // without a route: those that take the path
  std::optional<Answer> answer;                 // the proxy answers itself; filters may do so in front of that
  std::optional<ForwardPart> forward;
  std::vector<HeaderChange> request_changes, response_changes;  // in the order of their application
  std::vector<FilterPart> filters;                              // in the order of the request
  std::vector<Cluster> clusters;                                // that it may go to
  std::vector<std::string> notes;                               // what the answer leaves out, and why

  bool operator==(const Explanation&) const = default;
};

}  // namespace sluice::explain
