#include "source/config/listener_compiler.h"

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "source/config/values.h"

namespace sluice::config {
namespace {

using Proto = envoy::config::listener::v3::Listener;
using FilterChain = envoy::config::listener::v3::FilterChain;

uint64_t hashOf(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream raw(&bytes);
    google::protobuf::io::CodedOutputStream stream(&raw);
    stream.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&stream);
  }
  return absl::HashOf(bytes);
}

void refuseAccessLog(const Proto& listener, const Context& context) {
  if (listener.access_log_size() > 0) {
    context.child("access_log")
        .error("access logs of listeners are not supported yet; configure them in the connection manager");
  }
}

std::shared_ptr<const filter::TerminalNetworkFilter> compileChain(const FilterChain& chain, const Context& context,
                                                                  Services& services) {
  if (chain.filters_size() == 0) {
    context.child("filters").error("the filter chain has no filter; it needs one terminal network filter");
    return nullptr;
  }
  if (chain.filters_size() > 1) {
    context.child("filters", 1)
        .error("network filters in front of the terminal one are not supported yet; keep only the last");
    return nullptr;
  }
  const Context at = context.child("filters", 0).child("typed_config");
  const auto match = services.registry.network_filters.resolve(chain.filters(0).typed_config(), at);
  return match ? match.factory->compile(*match.config, at, services) : nullptr;
}

}  // namespace

uint64_t listenerContentHash(const Proto& listener) {
  return hashOf(listener);
}

std::optional<CompiledListener> compileListener(const Proto& listener, const Context& context, Services& services) {
  const size_t errors_before = context.errors().total();
  CompiledListener compiled;
  compiled.name = listener.name();
  compiled.content_hash = listenerContentHash(listener);
  refuseAccessLog(listener, context);

  if (listener.has_api_listener()) {
    compiled.api = true;
    const Context at = context.child("api_listener").child("api_listener");
    const auto match = services.registry.network_filters.resolve(listener.api_listener().api_listener(), at);
    if (match) match.factory->compile(*match.config, at, services);
    if (context.errors().total() != errors_before) return std::nullopt;
    return compiled;
  }

  if (!listener.has_address()) {
    context.child("address").error("no address; the listener would never accept a connection");
  } else if (std::optional<net::Address> address = compileAddress(listener.address(), context.child("address"))) {
    compiled.addresses.push_back(*address);
    compiled.stat_name = listener.stat_prefix().empty() ? address->toString() : listener.stat_prefix();
  }
  if (compiled.name.empty() && !compiled.addresses.empty()) compiled.name = compiled.addresses[0].toString();
  if (listener.has_bind_to_port() && !listener.bind_to_port().value()) {
    context.child("bind_to_port").error("a listener that does not bind needs original_dst, which is not supported yet");
  }
  if (listener.has_enable_reuse_port() && !listener.enable_reuse_port().value()) {
    context.child("enable_reuse_port").warn("has no effect: every worker has a socket of its own");
  }
  compiled.backlog = listener.has_tcp_backlog_size() ? static_cast<int>(listener.tcp_backlog_size().value()) : 4096;
  compiled.drain_on_health_fail = listener.drain_type() == Proto::DEFAULT;

  const int chains = listener.filter_chains_size() + (listener.has_default_filter_chain() ? 1 : 0);
  if (chains == 0) {
    context.child("filter_chains").error("no filter chain; the listener needs one");
  } else if (chains > 1) {
    context.child("filter_chains", 1).error("choosing among filter chains is not supported yet; keep one");
  } else {
    const bool is_default = listener.has_default_filter_chain();
    const FilterChain& chain = is_default ? listener.default_filter_chain() : listener.filter_chains(0);
    compiled.chain_name = chain.name();
    compiled.chain_hash = hashOf(chain);
    compiled.terminal = compileChain(
        chain, is_default ? context.child("default_filter_chain") : context.child("filter_chains", 0), services);
  }
  if (context.errors().total() != errors_before) return std::nullopt;
  return compiled;
}

}  // namespace sluice::config
