#include "source/config/listener_compiler.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "google/protobuf/wrappers.pb.h"
#include "source/config/access_log_factory.h"
#include "source/config/chain_match_compiler.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/filter_discovery.h"
#include "source/config/format/substitution_format.h"
#include "source/config/holding.h"
#include "source/config/internal_listener.h"
#include "source/config/listener_filter_compiler.h"
#include "source/config/matcher_compiler.h"
#include "source/config/network_filter_factory.h"
#include "source/config/registry.h"
#include "source/config/socket_compiler.h"
#include "source/config/stable_bytes.h"
#include "source/config/transport_socket_factory.h"
#include "source/config/udp_listener_compiler.h"
#include "source/config/values.h"
#include "source/filter/network_chain.h"
#include "source/listener/chain_guard.h"

namespace sluice::config {
namespace {

using Proto = envoy::config::listener::v3::Listener;
using FilterChain = envoy::config::listener::v3::FilterChain;

uint64_t hashOf(const google::protobuf::Message& message) {
  return absl::HashOf(stableBytes(message));
}

void refuseAccessLog(const Proto& listener, const Context& context) {
  if (listener.access_log_size() > 0) {
    context.child("access_log")
        .error(
            "access logs of listeners are not supported yet; configure them "
            "in the connection manager");
  }
}

// `server_names`: they are known to its filters, if clients ask for one.
std::shared_ptr<const filter::TerminalNetworkFilter> compileChain(const FilterChain& chain, bool server_names,
                                                                  const FactoryContext& factory_context) {
  const Context& context = factory_context.at;
  const Registry& registry = factory_context.services.registry;
  const int last = chain.filters_size() - 1;
  if (last < 0) {
    context.child("filters").error("the filter chain has no filter; it needs one terminal network filter");
    return nullptr;
  }
  Holding holding(factory_context);
  // The filters that stand in front of another one do not matter to it: it is the n-th of its type.
  std::map<std::string, int> of_type;
  auto contextOf = [&](const google::protobuf::Message& message, const Context& at) {
    const std::string& type = message.GetDescriptor()->full_name();
    FactoryContext out = holding.context(at, factory_context.owner,
                                         absl::StrCat(factory_context.identity, "/", type, "#", of_type[type]++));
    out.listener = factory_context.listener;
    out.filter_chain = chain.name();
    out.listener_metadata = factory_context.listener_metadata;
    return out;
  };
  filter::NetworkFilters filters;
  std::vector<filter::DiscoveredNetworkFilter> discovered;
  std::shared_ptr<const filter::TerminalNetworkFilter> terminal;
  for (int i = 0; i <= last; ++i) {
    const Context filter = context.child("filters", i);
    if (const auto& proto = chain.filters(i); proto.has_config_discovery()) {
      if (i == last) filter.error("is discovered, and such a filter cannot end a chain; put one that serves behind it");
      const Context at = filter.child("config_discovery");
      auto holder = compileDiscoveredNetworkFilter(
          proto.name(), proto.config_discovery(),
          holding.context(at, factory_context.owner,
                          absl::StrCat(factory_context.identity, "/discovered ", proto.name())));
      if (holder != nullptr) discovered.push_back({filters.size(), std::move(holder)});
      filters.push_back(nullptr);
      continue;
    }
    const Context at = filter.child("typed_config");
    std::unique_ptr<google::protobuf::Message> message;
    const ConnectionFilterConfigFactory* gate = nullptr;
    if (!chain.filters(i).typed_config().type_url().empty()) {
      message = unpackAny(chain.filters(i).typed_config(), at);
      if (!message) continue;
      gate = registry.connection_filters.find(message->GetDescriptor()->full_name());
    }
    if (gate != nullptr && gate->needsServerName() && !server_names) {
      filter.warn(absl::StrCat("filter '", chain.filters(i).name(),
                               "' goes by server names, and no connection has one; ",
                               "add envoy.filters.listener.tls_inspector to listener_filters"));
    }
    if (gate != nullptr && i == last) {
      filter.error(absl::StrCat("filter '", chain.filters(i).name(), "' is the last of the chain but not terminal; ",
                                "it has to end in one that serves connections, "
                                "such as envoy.filters.network.tcp_proxy"));
    } else if (gate != nullptr) {
      if (auto compiled = gate->compile(*message, contextOf(*message, at)))
        filters.push_back(holding.tie(std::move(compiled)));
    } else if (const auto match = registry.network_filters.resolve(chain.filters(i).typed_config(), at)) {
      if (i != last) {
        filter.error(absl::StrCat("filter '", chain.filters(i).name(), "' is terminal and has to be the last"));
      } else {
        terminal = holding.tie(match.factory->compile(*match.config, contextOf(*match.config, at)));
      }
    }
  }
  if (discovered.empty()) return filter::makeFiltered(std::move(filters), std::move(terminal));
  return filter::makeDiscovered(std::move(filters), std::move(discovered), std::move(terminal));
}

void compileAddresses(const Proto& listener, const Context& context, CompiledListener& compiled) {
  const bool udp = isUdp(listener);
  auto add = [&](const envoy::config::core::v3::Address& proto, const Context& at) {
    const std::optional<net::Address> address = compileAddress(proto, at, udp);
    if (!address) return;
    if (udp && proto.socket_address().protocol() != envoy::config::core::v3::SocketAddress::UDP) {
      return at.error("the listener's first address is UDP, so this one has to be too; write protocol: UDP");
    }
    const auto& known = compiled.addresses;
    const bool twice =
        (!address->isIp() || address->port() != 0) && std::find(known.begin(), known.end(), *address) != known.end();
    if (twice) at.error(absl::StrCat("the listener has ", address->toString(), " already; remove one of them"));
    compiled.addresses.push_back(*address);
    if (proto.pipe().mode() != 0) compiled.unix_modes.emplace_back(*address, static_cast<int>(proto.pipe().mode()));
  };
  if (listener.has_address()) {
    add(listener.address(), context.child("address"));
  } else {
    context.child("address").error("no address; the listener would never accept a connection");
  }
  for (int i = 0; i < listener.additional_addresses_size(); ++i) {
    add(listener.additional_addresses(i).address(), context.child("additional_addresses", i).child("address"));
  }
  if (compiled.addresses.empty()) return;
  compiled.stat_name = listener.stat_prefix().empty() ? compiled.addresses[0].toString() : listener.stat_prefix();
  if (compiled.name.empty()) compiled.name = compiled.addresses[0].toString();
}

// What decides how sockets are made goes into socket_hash.
void compileSockets(const Proto& listener, const Context& context, CompiledListener& compiled) {
  compiled.bind = !compiled.internal && (!listener.has_bind_to_port() || listener.bind_to_port().value());
  compiled.reuse_port = !listener.has_enable_reuse_port() || listener.enable_reuse_port().value();
  compiled.mptcp = listener.enable_mptcp();
  const auto is_path = [](const net::Address& address) { return !address.isIp() && !address.isListener(); };
  if (compiled.mptcp && std::any_of(compiled.addresses.begin(), compiled.addresses.end(), is_path)) {
    context.child("enable_mptcp").error("a Unix socket has one path only; remove it, or listen on IP addresses only");
  }
  compiled.backlog = listener.has_tcp_backlog_size() ? static_cast<int>(listener.tcp_backlog_size().value()) : 4096;
  compiled.socket_options = compileSocketOptions(listener, context);
  compiled.transparent = listener.transparent().value();
  if (listener.has_max_connections_to_accept_per_socket_event()) {
    compiled.accept_batch =
        static_cast<int>(std::min<uint32_t>(INT32_MAX, listener.max_connections_to_accept_per_socket_event().value()));
  }
  // Connections to internal listeners are the process's own, made for clients that are counted.
  compiled.ignore_global_conn_limit =
      listener.ignore_global_conn_limit() || listener.bypass_overload_manager() || compiled.internal;
  if (listener.has_per_connection_buffer_limit_bytes()) {
    compiled.buffer_limit = listener.per_connection_buffer_limit_bytes().value();
  }
  compiled.exact_balance = listener.connection_balance_config().has_exact_balance();
  std::vector<std::tuple<int, int, std::string, int>> options;
  for (const net::SocketOption& option : compiled.socket_options) {
    options.emplace_back(option.level, option.name, option.value, static_cast<int>(option.when));
  }
  compiled.socket_hash = absl::HashOf(options, compiled.bind, compiled.mptcp, compiled.reuse_port, compiled.backlog,
                                      compiled.unix_modes, isUdp(listener));
}

void compileFilters(const Proto& listener, const FactoryContext& factory_context, CompiledListener& compiled) {
  compiled.filters = compileListenerFilters(listener, factory_context);
  if (listener.has_listener_filters_timeout()) {
    compiled.filters_timeout = compileMilliseconds(listener.listener_filters_timeout());
  }
  compiled.continue_on_filters_timeout = listener.continue_on_listener_filters_timeout();
  compiled.use_original_dst = listener.use_original_dst().value();
}

// The chains by their names, which actions of the matcher say.
std::shared_ptr<const match::Matcher> compileChainMatcher(const Proto& listener,
                                                          const FactoryContext& factory_context) {
  const Context& context = factory_context.at;
  std::map<std::string, size_t, std::less<>> chains;
  for (int i = 0; i < listener.filter_chains_size(); ++i) {
    const Context at = context.child("filter_chains", i);
    const std::string& name = listener.filter_chains(i).name();
    if (name.empty()) at.child("name").error("is needed: filter_chain_matcher chooses chains by their names");
    const auto [other, added] = chains.emplace(name, static_cast<size_t>(i));
    if (!added && !name.empty()) {
      at.child("name").error(absl::StrCat("\"", name, "\" is the name of filter_chains[", other->second,
                                          "], too; filter_chain_matcher chooses chains by their names"));
    }
    if (listener.filter_chains(i).has_filter_chain_match()) {
      at.child("filter_chain_match").warn("is not looked at: filter_chain_matcher chooses the chain");
    }
  }
  const auto chainOf = [&chains](const google::protobuf::Any& action, const Context& at) -> std::optional<uint32_t> {
    const auto message = unpackAny(action, at);
    const auto* name = dynamic_cast<const google::protobuf::StringValue*>(message.get());
    if (name == nullptr) {
      if (message != nullptr) {
        at.error(absl::StrCat(message->GetTypeName(), " does not choose a filter chain here; write its name in a ",
                              google::protobuf::StringValue::descriptor()->full_name()));
      }
      return std::nullopt;
    }
    if (const auto found = chains.find(name->value()); found != chains.end()) return found->second;
    at.warn(absl::StrCat("no filter chain is called \"", name->value(), "\"; connections that get it are closed"));
    return UINT32_MAX;
  };
  const MatchPlace place{"filter_chain_matcher", match::kAddresses | match::kConnection | match::kPeer, false, chainOf};
  return compileMatcher(listener.filter_chain_matcher(), place, factory_context.child("filter_chain_matcher"));
}

// Null: nothing is said.
std::shared_ptr<const stream::ListenerMetadata> acceptedMetadata(const Proto& listener, const FilterChain& chain) {
  stream::ListenerMetadata out{metadataOf(listener.metadata()), metadataOf(chain.metadata())};
  if (!out.listener && !out.filter_chain) return nullptr;
  return std::make_shared<const stream::ListenerMetadata>(std::move(out));
}

bool matchesAll(const FilterChain& chain) {
  return chain.filter_chain_match().ByteSizeLong() == 0;
}

void compileChains(const Proto& listener, const FactoryContext& factory_context, CompiledListener& compiled) {
  const Context& context = factory_context.at;
  const bool server_names = findsServerNames(listener, factory_context.services);
  auto add = [&](const FilterChain& chain, const Context& at) {
    listener::FilterChain& out = compiled.chains.emplace_back();
    out.name = chain.name();
    out.content_hash = hashOf(chain);
    FactoryContext of_chain = factory_context.moved(at);
    absl::StrAppend(&of_chain.identity, "/filter chain '", chain.name().empty() ? at.path() : chain.name(), "'");
    of_chain.listener = compiled.name;
    of_chain.listener_metadata = acceptedMetadata(listener, chain);
    out.terminal = compileChain(chain, server_names || chain.has_transport_socket(), of_chain);
    if (chain.has_transport_socket()) {
      out.transport =
          compileTransport(chain.transport_socket(), TransportSide::kDownstream, of_chain.child("transport_socket"));
    }
    if (chain.has_transport_socket_connect_timeout()) {
      out.transport_timeout = compileMilliseconds(chain.transport_socket_connect_timeout());
    }
  };
  const bool by_matcher = listener.has_filter_chain_matcher();
  if (by_matcher) compiled.matcher = compileChainMatcher(listener, factory_context);
  auto index = std::make_shared<listener::ChainIndex>();
  auto guard = std::make_shared<listener::ServerNameGuard>();
  bool by_name = false;
  for (int i = 0; i < listener.filter_chains_size(); ++i) {
    const FilterChain& chain = listener.filter_chains(i);
    const Context at = context.child("filter_chains", i);
    if (by_matcher) {
      add(chain, at);
      continue;
    }
    const listener::ChainMatch match = compileChainMatch(chain.filter_chain_match(), at.child("filter_chain_match"));
    if (const std::optional<size_t> other = index->add(match, i)) {
      at.child("filter_chain_match")
          .error(absl::StrCat("some connections match this chain and filter_chains[", *other,
                              "] equally well; make one of the two more specific"));
    }
    guard->add(match.server_names, i);
    by_name |= !match.server_names.empty();
    add(chain, at);
  }
  if (listener.has_default_filter_chain()) {
    const Context at = context.child("default_filter_chain");
    if (listener.default_filter_chain().has_filter_chain_match()) {
      at.child("filter_chain_match").warn("is not looked at: this chain takes what no other matches");
    }
    compiled.default_chain = compiled.chains.size();
    guard->add({}, compiled.chains.size());
    add(listener.default_filter_chain(), at);
  }
  if (compiled.chains.empty()) {
    context.child("filter_chains").error("no filter chain; the listener needs one");
  }
  if (by_matcher) return;
  const bool one_takes_all =
      compiled.chains.size() == 1 && (compiled.default_chain || matchesAll(listener.filter_chains(0)));
  if (!one_takes_all) compiled.index = std::move(index);
  if (by_name) compiled.guard = std::move(guard);
}

}  // namespace

uint64_t listenerContentHash(const Proto& listener) {
  return hashOf(listener);
}

std::optional<CompiledListener> compileListener(const Proto& listener, const Context& context, Services& services,
                                                InitTargets* init) {
  const ErrorMark mark(context);
  Holding holding(services, init);
  CompiledListener compiled;
  compiled.name = listener.name();
  compiled.content_hash = listenerContentHash(listener);
  refuseAccessLog(listener, context);

  if (listener.has_api_listener()) {
    compiled.api = true;
    const Context at = context.child("api_listener").child("api_listener");
    const auto match = services.registry.network_filters.resolve(listener.api_listener().api_listener(), at);
    if (match) match.factory->compile(*match.config, holding.context(at));
    if (mark.hit()) return std::nullopt;
    return compiled;
  }

  if (listener.has_internal_listener()) {
    compileInternalAddress(listener, context, compiled);
  } else {
    compileAddresses(listener, context, compiled);
  }
  compileSockets(listener, context, compiled);
  compiled.drain_on_health_fail = listener.drain_type() == Proto::DEFAULT;
  const FactoryContext factory_context =
      holding.context(context, compiled.stat_name,
                      absl::StrCat("listener '", compiled.name.empty() ? compiled.stat_name : compiled.name, "'"));
  if (isUdp(listener)) {
    compiled.udp = compileUdpListener(listener, factory_context);
  } else {
    refuseUdpSettings(listener, context, services);
    compileFilters(listener, factory_context, compiled);
    compileChains(listener, factory_context, compiled);
  }
  if (mark.hit()) return std::nullopt;
  compiled.held = holding.take();
  compiled.clusters = holding.clusters();
  return compiled;
}

}  // namespace sluice::config
