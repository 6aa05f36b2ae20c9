#include "source/config/dns_cache_compiler.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "sluice/extensions/network/dns_resolver/v1/internal_dns_resolver.pb.h"
#include "source/base/entropy.h"
#include "source/config/any_type.h"
#include "source/config/dns_failure_rate.h"
#include "source/config/dns_resolver.h"
#include "source/config/stable_bytes.h"
#include "source/config/values.h"

namespace sluice::config {
namespace {

using dns_cache::AddressGuard;
using dns_cache::DnsCache;
using dns_cache::Settings;
using envoy::extensions::common::dynamic_forward_proxy::v3::DnsCacheConfig;
using sluice::extensions::network::dns_resolver::v1::InternalDnsResolver;

class DnsCacheCompiler {
 public:
  DnsCacheCompiler(const DnsCacheConfig& proto, const Context& context) : proto_(proto), context_(context) {}

  void compile() {
    settings.name = proto_.name();
    settings.source = stableBytes(proto_);
    settings.lookup_family = static_cast<net::DnsLookupFamily>(proto_.dns_lookup_family());
    compileTimes();
    if (proto_.has_max_hosts()) settings.max_hosts = proto_.max_hosts().value();
    if (proto_.dns_cache_circuit_breaker().has_max_pending_requests()) {
      settings.max_pending_requests = proto_.dns_cache_circuit_breaker().max_pending_requests().value();
    }
    compilePreresolved();
    compileFilter();
    if (proto_.has_typed_dns_resolver_config()) compileResolver();
    settings.guard = AddressGuard(std::move(allowed_), std::move(filter_));
  }

  Settings settings;
  net::DnsResolverOptions resolver;

 private:
  void compileTimes() {
    const auto set = [](bool has, const auto& duration, std::chrono::milliseconds& out) {
      if (has) out = compileMilliseconds(duration);
    };
    set(proto_.has_dns_refresh_rate(), proto_.dns_refresh_rate(), settings.refresh_rate);
    set(proto_.has_dns_min_refresh_rate(), proto_.dns_min_refresh_rate(), settings.min_refresh_rate);
    set(proto_.has_host_ttl(), proto_.host_ttl(), settings.host_ttl);
    set(proto_.has_dns_query_timeout(), proto_.dns_query_timeout(), settings.query_timeout);
    compileDnsFailureRate(proto_, context_, settings.failure_base_interval, settings.failure_max_interval);
  }

  void compilePreresolved() {
    if (static_cast<uint32_t>(proto_.preresolve_hostnames_size()) > settings.max_hosts) {
      context_.child("preresolve_hostnames")
          .error(absl::StrCat("has ", proto_.preresolve_hostnames_size(), " names, more than max_hosts (",
                              settings.max_hosts, "); raise that"));
    }
    for (int i = 0; i < proto_.preresolve_hostnames_size(); ++i) {
      const auto& address = proto_.preresolve_hostnames(i);
      const Context at = context_.child("preresolve_hostnames", static_cast<size_t>(i));
      if (address.protocol() != envoy::config::core::v3::SocketAddress::TCP) {
        at.child("protocol").error("only TCP is supported here; remove it or write TCP");
      }
      if (address.port_value() == 0) {
        at.child("port_value").error("a host needs a port from 1 to 65535");
        continue;
      }
      // The address is no authority: a colon in it belongs to an IPv6 address.
      const std::string host = address.address().find(':') == std::string::npos
                                   ? address.address()
                                   : absl::StrCat("[", address.address(), "]");
      auto name = dns_cache::parseHostName(host, static_cast<uint16_t>(address.port_value()));
      if (name) {
        settings.preresolved.push_back(*std::move(name));
      } else {
        at.child("address").error(absl::StrCat("\"", address.address(), "\" is no host name"));
      }
    }
  }

  void compileFilter() {
    filter_.invert = proto_.resolved_address_filter().invert_match();
    const Context at = context_.child("resolved_address_filter");
    filter_.ranges = compileCidrs(proto_.resolved_address_filter().ranges(), "ranges", at);
    if (filter_.invert && filter_.ranges.empty()) {
      at.child("invert_match").error("without ranges it takes out every address; name those that may be reached");
    }
  }

  void compileResolver() {
    const Context at = context_.child("typed_dns_resolver_config").child("typed_config");
    const auto message = unpackAny(proto_.typed_dns_resolver_config().typed_config(), at);
    if (message == nullptr) return;
    if (message->GetDescriptor() == CaresDnsResolverConfig::descriptor()) {
      return compileCares(static_cast<const CaresDnsResolverConfig&>(*message), at, resolver);
    }
    if (message->GetDescriptor() != InternalDnsResolver::descriptor()) {
      return at.error(absl::StrCat(message->GetDescriptor()->full_name(),
                                   " is no resolver here; known: ", CaresDnsResolverConfig::descriptor()->full_name(),
                                   ", ", InternalDnsResolver::descriptor()->full_name()));
    }
    const auto& internal = static_cast<const InternalDnsResolver&>(*message);
    allowed_ = compileCidrs(internal.allowed_ranges(), "allowed_ranges", at);
    compileCares(internal.cares(), at.child("cares"), resolver);
  }

  const DnsCacheConfig& proto_;
  const Context& context_;
  std::vector<net::Cidr> allowed_;
  AddressGuard::Filter filter_;
};

std::shared_ptr<DnsCache> makeCache(DnsCacheCompiler& compiled, Services& services) {
  worker::MainServices* main = services.main;
  if (main == nullptr) return std::make_shared<DnsCache>(std::move(compiled.settings));
  return std::make_shared<DnsCache>(
      std::move(compiled.settings),
      DnsCache::World{main->loop, main->cells, std::make_shared<observability::Scope>(services.stats.root()),
                      services.local_slots, net::makeDnsResolver(main->loop, std::move(compiled.resolver)),
                      base::drawSeed()});
}

}  // namespace

std::shared_ptr<const DnsCache> compileDnsCache(const DnsCacheConfig& proto, const FactoryContext& context) {
  const ErrorMark mark(context.at);
  DnsCacheCompiler compiled(proto, context.at);
  compiled.compile();
  if (mark.hit()) return nullptr;
  const std::string source = compiled.settings.source;
  std::shared_ptr<DnsCache> cache = context.services.objects.get<DnsCache>(
      absl::StrCat("dns_cache/", proto.name()), [&] { return makeCache(compiled, context.services); });
  if (cache->settings().source == source) return cache;
  context.at.error(absl::StrCat("the DNS cache '", proto.name(),
                                "' has other settings elsewhere; say the same of it wherever it is used, or give this "
                                "one another name"));
  return nullptr;
}

}  // namespace sluice::config
