#include "source/ctl/probes.h"

#include <vector>

#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "source/base/text.h"

namespace sluice::ctl {
namespace {

using envoy::config::listener::v3::FilterChain;
using envoy::config::route::v3::RouteConfiguration;
using envoy::config::route::v3::RouteMatch;
using envoy::config::route::v3::VirtualHost;
using HttpConnectionManager = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

// A host that the domain takes.
std::string hostOf(const std::string& domain) {
  if (domain == "*") return "any.example";
  if (domain.starts_with('*')) return "any" + domain.substr(1);
  if (domain.ends_with('*')) return domain.substr(0, domain.size() - 1) + "any";
  return domain;
}

// Paths that the match takes, and some at its boundary.
std::vector<std::string> pathsOf(const RouteMatch& match) {
  if (match.has_path()) return {match.path(), match.path() + "/", match.path() + "x"};
  if (match.has_path_separated_prefix()) {
    const std::string& prefix = match.path_separated_prefix();
    return {prefix, prefix + "/x", prefix + "x"};
  }
  if (!match.has_prefix() || !match.prefix().starts_with('/')) return {};
  const std::string& prefix = match.prefix();
  std::vector<std::string> out = {prefix, prefix + "x"};
  if (prefix.size() > 1) out.push_back(prefix.ends_with('/') ? prefix.substr(0, prefix.size() - 1) : prefix + "/x");
  return out;
}

// What headers a request has that the route wants, as far as an exact value or a prefix says them. `method`: what it
// asks of that.
std::set<std::string> headersOf(const RouteMatch& match, std::string& method) {
  std::set<std::string> out;
  for (const auto& header : match.headers()) {
    if (header.invert_match()) continue;
    std::string value = "x";
    if (header.has_string_match()) {
      const auto& text = header.string_match();
      value = text.has_exact()    ? text.exact()
              : text.has_prefix() ? text.prefix()
              : text.has_suffix() ? text.suffix()
                                  : value;
    }
    if (header.name() == ":method") method = value;
    if (!header.name().starts_with(':')) out.insert(base::strCat(header.name(), ": ", value));
  }
  return out;
}

class Collector {
 public:
  Collector(std::string listener, bool tls, std::set<Probe>& out, size_t& left_out)
      : listener_(std::move(listener)), scheme_(tls ? "https" : "http"), out_(out), left_out_(left_out) {}

  void add(const RouteConfiguration& table) {
    for (const VirtualHost& host : table.virtual_hosts()) {
      for (const std::string& domain : host.domains()) add(host, hostOf(domain));
    }
  }

 private:
  void add(const VirtualHost& virtual_host, const std::string& host) {
    ask("GET", host, "/", {});
    for (const auto& route : virtual_host.routes()) {
      std::string method = "GET";
      const std::set<std::string> headers = headersOf(route.match(), method);
      const std::vector<std::string> paths = pathsOf(route.match());
      if (paths.empty()) ++left_out_;
      for (const std::string& path : paths) {
        ask(method, host, path, headers);
        ask("GET", host, path, {});
        ask("POST", host, path, {});
      }
    }
  }

  void ask(const std::string& method, const std::string& host, const std::string& path,
           const std::set<std::string>& headers) {
    if (out_.size() >= kMaxProbes) {
      ++left_out_;
      return;
    }
    out_.insert({listener_, base::strCat(method, " ", scheme_, "://", host, path), headers});
  }

  const std::string listener_;
  const std::string scheme_;
  std::set<Probe>& out_;
  size_t& left_out_;
};

void addChain(const FilterChain& chain, const std::string& listener, std::set<Probe>& out, size_t& left_out) {
  for (const auto& filter : chain.filters()) {
    HttpConnectionManager manager;
    if (!filter.typed_config().UnpackTo(&manager)) continue;
    if (!manager.has_route_config()) ++left_out;
    Collector(listener, chain.has_transport_socket(), out, left_out).add(manager.route_config());
  }
}

}  // namespace

explain::Parameters Probe::parameters() const {
  explain::Parameters out = {{"listener", listener}, {"request", request}};
  for (const std::string& header : headers) out.emplace_back("header", header);
  return out;
}

std::set<Probe> probesOf(const explain::Configuration& configuration, size_t& left_out) {
  std::set<Probe> out;
  for (const explain::Listener& listener : configuration.listeners()) {
    for (const FilterChain& chain : listener.proto->filter_chains()) {
      addChain(chain, listener.compiled->name, out, left_out);
    }
    if (listener.proto->has_default_filter_chain()) {
      addChain(listener.proto->default_filter_chain(), listener.compiled->name, out, left_out);
    }
  }
  return out;
}

}  // namespace sluice::ctl
