#include "source/explain/connection.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "source/base/text.h"
#include "source/config/any_type.h"
#include "source/filter/wrapped_terminal.h"
#include "source/listener/chain_choice.h"
#include "source/session/http_terminal.h"

namespace sluice::explain {
namespace {

using ListenerProto = envoy::config::listener::v3::Listener;
using ChainProto = envoy::config::listener::v3::FilterChain;

std::vector<std::string> textsOf(const std::vector<net::Address>& addresses) {
  std::vector<std::string> out;
  for (const net::Address& address : addresses) out.push_back(address.toString());
  return out;
}

std::string namesOf(const std::vector<Listener>& listeners) {
  if (listeners.empty()) return "there is none";
  std::vector<std::string> out;
  for (const Listener& each : listeners) {
    out.push_back(absl::StrCat("'", each.compiled->name, "' (", absl::StrJoin(textsOf(each.addresses), ", "), ")"));
  }
  return absl::StrCat("there are ", absl::StrJoin(out, ", "));
}

const session::HttpTerminal* httpOf(const listener::FilterChain& chain) {
  if (chain.terminal == nullptr) return nullptr;
  return dynamic_cast<const session::HttpTerminal*>(&filter::innermost(*chain.terminal));
}

bool speaksHttp(const Listener& listener) {
  const auto& chains = listener.compiled->chains;
  return std::any_of(chains.begin(), chains.end(), [](const auto& chain) { return httpOf(chain) != nullptr; });
}

bool hasPort(const Listener& listener, uint16_t port) {
  return std::any_of(listener.addresses.begin(), listener.addresses.end(),
                     [port](const net::Address& address) { return address.isIp() && address.port() == port; });
}

struct FoundListener {
  Listener listener;
  std::string why;
};

absl::StatusOr<FoundListener> findNamed(const std::string& name, const std::vector<Listener>& all) {
  for (const Listener& each : all) {
    const std::vector<std::string> addresses = textsOf(each.addresses);
    const bool by_address = std::find(addresses.begin(), addresses.end(), name) != addresses.end();
    if (each.compiled->name == name || by_address) return FoundListener{each, "it was asked for"};
  }
  return absl::NotFoundError(absl::StrCat("no listener is named '", name, "'; ", namesOf(all)));
}

absl::StatusOr<FoundListener> findListener(const Request& request, const Configuration& configuration) {
  const std::vector<Listener> all = configuration.listeners();
  if (!request.listener.empty()) return findNamed(request.listener, all);
  std::vector<Listener> http, of_port;
  std::copy_if(all.begin(), all.end(), std::back_inserter(http), speaksHttp);
  std::copy_if(http.begin(), http.end(), std::back_inserter(of_port),
               [&](const Listener& each) { return hasPort(each, request.port); });
  if (of_port.size() == 1) return FoundListener{of_port[0], absl::StrCat("it has port ", request.port)};
  if (of_port.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("several listeners have port ", request.port,
                                                   "; choose one by its name (listener): ", namesOf(of_port)));
  }
  if (http.size() == 1) return FoundListener{http[0], "it is the only one that speaks HTTP"};
  if (http.empty()) return absl::NotFoundError(absl::StrCat("no listener speaks HTTP; ", namesOf(all)));
  return absl::InvalidArgumentError(absl::StrCat("no listener has port ", request.port, " and several speak HTTP",
                                                 "; choose one by its name (listener): ", namesOf(http)));
}

bool hasFilter(const ListenerProto& listener, std::string_view type) {
  const auto& filters = listener.listener_filters();
  return std::any_of(filters.begin(), filters.end(),
                     [type](const auto& each) { return config::describedType(each.typed_config()) == type; });
}

// What the listener's filters find out of a client that speaks the request's scheme.
filter::Accepted acceptedOf(const Request& request, const Listener& listener) {
  filter::Accepted out;
  out.remote = out.direct_remote = request.source;
  for (const net::Address& address : listener.addresses) {
    if (!out.local || (address.isIp() && address.port() == request.port)) out.local = address;
  }
  if (out.local.isIp() && out.local.isAny()) {
    const bool v6 = request.source.family() == net::Address::Family::kIpv6;
    out.local = *net::Address::fromIp(v6 ? "::1" : "127.0.0.1", out.local.port());
  }
  out.direct_local = out.local;
  const bool tls = request.scheme == "https";
  if (tls && hasFilter(*listener.proto, "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector")) {
    out.transport_protocol = "tls";
    out.server_name = request.sni;
    out.application_protocols = {"h2", "http/1.1"};
  } else if (!tls && hasFilter(*listener.proto, "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector")) {
    out.application_protocols = {"http/1.1"};
  }
  return out;
}

const ChainProto& protoOf(const Served& served) {
  const ListenerProto& listener = *served.listener.proto;
  const auto number = static_cast<int>(served.chain);
  return number < listener.filter_chains_size() ? listener.filter_chains(number) : listener.default_filter_chain();
}

void findManager(Served& served) {
  config::ErrorList ignored;
  const config::Context at(ignored, nullptr, served.listener.path);
  const ChainProto& chain = protoOf(served);
  const bool is_default = &chain == &served.listener.proto->default_filter_chain();
  const config::Context of_chain =
      is_default ? at.child("default_filter_chain") : at.child("filter_chains", served.chain);
  served.chain_path = of_chain.path();
  if (chain.filters_size() == 0) return;
  const int last = chain.filters_size() - 1;
  const config::Context typed = of_chain.child("filters", static_cast<size_t>(last)).child("typed_config");
  served.manager_path = typed.path();
  served.manager = config::unpackOnly<HttpConnectionManager>(chain.filters(last).typed_config(), typed);
}

}  // namespace

Place placeOf(const Configuration& configuration, std::string path) {
  Place out;
  if (const config::Positions* const positions = configuration.positions(); positions != nullptr && !path.empty()) {
    const config::Position found = positions->find(path);
    out.file = found.file;
    out.line = found.line;
    out.column = found.column;
  }
  out.path = std::move(path);
  return out;
}

absl::StatusOr<Served> findServer(const Request& request, const Configuration& configuration) {
  absl::StatusOr<FoundListener> found = findListener(request, configuration);
  if (!found.ok()) return found.status();
  Served out;
  out.listener = std::move(found->listener);
  out.why = std::move(found->why);
  const config::CompiledListener& compiled = *out.listener.compiled;
  if (compiled.chains.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("listener '", compiled.name, "' has no filter chains: it is of UDP, or for gRPC clients"));
  }
  out.accepted = acceptedOf(request, out.listener);
  const std::optional<size_t> chain = listener::chainOf(compiled, out.accepted);
  if (!chain || *chain >= compiled.chains.size()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "no filter chain of listener '", compiled.name, "' takes a connection from ", out.accepted.remote.toString(),
        " to ", out.accepted.local.toString(), " with server name '", out.accepted.server_name, "' and transport ",
        std::string(out.accepted.transport_protocol), ": it is closed"));
  }
  out.chain = *chain;
  const session::HttpTerminal* const http = httpOf(compiled.chains[*chain]);
  findManager(out);
  if (http == nullptr || out.manager == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("the filter chain of listener '", compiled.name,
                                                      "' that takes the connection does not speak HTTP (",
                                                      out.chain_path, ")"));
  }
  out.settings = http->settings();
  return out;
}

ChainPart describeChain(const Served& served, const Configuration& configuration) {
  const config::CompiledListener& listener = *served.listener.compiled;
  const ChainProto& proto = protoOf(served);
  ChainPart out;
  out.name = proto.name();
  out.index = served.chain;
  out.is_default = listener.default_chain == served.chain;
  out.tls = listener.chains[served.chain].transport != nullptr;
  out.place = placeOf(configuration, served.chain_path);
  const auto& match = proto.filter_chain_match();
  if (listener.matcher != nullptr) {
    out.why.push_back("filter_chain_matcher");
  } else if (out.is_default) {
    out.why.push_back("no other chain takes the connection");
  } else if (match.ByteSizeLong() == 0) {
    out.why.push_back("it takes all connections");
  }
  if (listener.matcher != nullptr || out.is_default) return out;
  const auto add = [&out](bool asked, std::string_view what, std::string_view value) {
    if (asked) out.why.push_back(base::strCat(what, " ", value));
  };
  const filter::Accepted& accepted = served.accepted;
  add(match.has_destination_port(), "destination port", absl::StrCat(accepted.local.port()));
  add(match.prefix_ranges_size() > 0, "destination", accepted.local.ip());
  add(match.server_names_size() > 0, "server name", accepted.server_name);
  add(!match.transport_protocol().empty(), "transport", accepted.transport_protocol);
  add(match.application_protocols_size() > 0, "application protocols",
      absl::StrJoin(accepted.application_protocols, ","));
  add(match.direct_source_prefix_ranges_size() > 0, "direct source", accepted.direct_remote.ip());
  add(match.source_prefix_ranges_size() > 0 || match.source_type() != 0, "source", accepted.remote.ip());
  add(match.source_ports_size() > 0, "source port", absl::StrCat(accepted.remote.port()));
  return out;
}

}  // namespace sluice::explain
