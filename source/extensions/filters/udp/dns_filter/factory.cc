#include "source/extensions/filters/udp/dns_filter/factory.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/udp/dns_filter/v3/dns_filter.pb.h"
#include "source/config/any_type.h"
#include "source/config/cluster_reference.h"
#include "source/config/dns_resolver.h"
#include "source/config/holding.h"
#include "source/config/loader.h"
#include "source/config/udp_filter_factory.h"
#include "source/config/validate.h"
#include "source/config/values.h"
#include "source/extensions/filters/udp/dns_filter/filter.h"
#include "source/extensions/filters/udp/dns_filter/name.h"

namespace sluice::extensions::udp_filters::dns_filter {
namespace {

using Proto = envoy::extensions::filters::udp::dns_filter::v3::DnsFilterConfig;
using config::CaresDnsResolverConfig;
using config::Context;
using envoy::data::dns::v3::DnsTable;

Stats makeStats(const std::string& prefix, observability::Scope& scope) {
  const std::string base = absl::StrCat("dns_filter.", prefix, ".");
  auto counter = [&](const char* name) { return scope.counter(base + name); };
  auto histogram = [&](const char* name) { return scope.histogram(base + name); };
  return {counter("a_record_queries"),
          counter("aaaa_record_queries"),
          counter("srv_record_queries"),
          counter("unsupported_queries"),
          counter("cluster_a_record_answers"),
          counter("cluster_aaaa_record_answers"),
          counter("local_a_record_answers"),
          counter("local_aaaa_record_answers"),
          counter("local_srv_record_answers"),
          counter("external_a_record_queries"),
          counter("external_aaaa_record_queries"),
          counter("external_unsupported_queries"),
          counter("external_a_record_answers"),
          counter("external_aaaa_record_answers"),
          counter("externally_resolved_queries"),
          counter("known_domain_queries"),
          counter("unanswered_queries"),
          counter("downstream_rx_errors"),
          counter("downstream_rx_invalid_queries"),
          counter("downstream_rx_queries"),
          counter("downstream_tx_responses"),
          counter("query_buffer_underflow"),
          counter("query_parsing_failure"),
          counter("record_name_overflow"),
          histogram("downstream_rx_bytes"),
          histogram("downstream_tx_bytes"),
          histogram("downstream_rx_query_latency")};
}

// Of ten years at most, as milliseconds are.
uint32_t secondsOf(const google::protobuf::Duration& duration) {
  return static_cast<uint32_t>(config::compileMilliseconds(duration).count() / 1000);
}

class TableCompiler {
 public:
  TableCompiler(config::Services& services, Table& table) : services_(services), table_(table) {}

  void compile(const DnsTable& proto, const Context& at) {
    for (int i = 0; i < proto.virtual_domains_size(); ++i) {
      compileDomain(proto.virtual_domains(i), at.child("virtual_domains", static_cast<size_t>(i)));
    }
  }

 private:
  void compileDomain(const DnsTable::DnsVirtualDomain& proto, const Context& at) {
    const bool below = proto.name().rfind("*.", 0) == 0;
    const std::string text = below ? proto.name().substr(2) : proto.name();
    const auto name = nameOf(text);
    if (text.find('*') != std::string::npos) {
      return at.child("name").error(
          absl::StrCat("'", proto.name(), "' has a * that is no label at its front, as in *.example.com"));
    }
    if (!name) return at.child("name").error(absl::StrCat("'", proto.name(), "' is no domain name"));
    const Context endpoint = at.child("endpoint");
    if (!proto.has_endpoint()) return at.error("has no endpoint; say what the name stands for");
    const uint32_t ttl = proto.has_answer_ttl() ? secondsOf(proto.answer_ttl()) : Service::kDefaultTtl;
    switch (proto.endpoint().endpoint_config_case()) {
      case DnsTable::DnsEndpoint::kAddressList: {
        Domain& domain = table_.domain(*name, below);
        domain.ttl = ttl;
        return addAddresses(proto.endpoint().address_list(), endpoint.child("address_list"), domain);
      }
      case DnsTable::DnsEndpoint::kClusterName: {
        const Context cluster_at = endpoint.child("cluster_name");
        Domain& domain = table_.domain(*name, below);
        domain.ttl = ttl;
        if (domain.cluster) return cluster_at.error("the name stands for another cluster already; keep one");
        domain.cluster = clusterId(proto.endpoint().cluster_name(), cluster_at);
        return;
      }
      case DnsTable::DnsEndpoint::kServiceList:
        if (below) return at.child("name").error("services have names of their own; write the domain without *");
        return addServices(proto.endpoint().service_list(), text, endpoint.child("service_list"));
      default:
        return;
    }
  }

  static void addAddresses(const DnsTable::AddressList& list, const Context& at, Domain& domain) {
    for (int i = 0; i < list.address_size(); ++i) {
      const auto address = net::Address::fromIp(list.address(i), 0);
      if (!address) {
        at.child("address", static_cast<size_t>(i)).error(absl::StrCat("'", list.address(i), "' is no IP address"));
      } else {
        (address->family() == net::Address::Family::kIpv6 ? domain.ipv6 : domain.ipv4).push_back(*address);
      }
    }
  }

  // _SERVICE._PROTOCOL.DOMAIN, whether or not the underscores are written.
  void addServices(const DnsTable::DnsServiceList& list, const std::string& domain_name, const Context& at) {
    for (int i = 0; i < list.services_size(); ++i) {
      const DnsTable::DnsService& service = list.services(i);
      const Context service_at = at.child("services", static_cast<size_t>(i));
      const auto protocol = protocolOf(service.protocol(), service_at.child("protocol"));
      if (!protocol) continue;
      const auto name = nameOf(absl::StrCat(marked(service.service_name()), ".", marked(*protocol), ".", domain_name));
      if (!name) {
        service_at.child("service_name").error("makes no domain name with its protocol and domain");
        continue;
      }
      Domain& domain = table_.domain(*name);
      if (service.has_ttl()) domain.ttl = secondsOf(service.ttl());
      for (int j = 0; j < service.targets_size(); ++j) {
        addTarget(service.targets(j), service_at.child("targets", static_cast<size_t>(j)), domain);
      }
    }
  }

  static std::string marked(const std::string& label) { return label.rfind('_', 0) == 0 ? label : "_" + label; }

  static std::optional<std::string> protocolOf(const DnsTable::DnsServiceProtocol& proto, const Context& at) {
    if (!proto.name().empty()) return proto.name();
    if (proto.number() == 6) return "tcp";
    if (proto.number() == 17) return "udp";
    at.error("only 6 (tcp) and 17 (udp) have names here; write the name of another one");
    return std::nullopt;
  }

  void addTarget(const DnsTable::DnsServiceTarget& proto, const Context& at, Domain& domain) {
    const bool is_cluster = !proto.cluster_name().empty();
    const auto name = nameOf(is_cluster ? proto.cluster_name() : proto.host_name());
    if (!name) return at.error("names no host; clusters are told by their names, too");
    ServiceTarget& target = domain.targets.emplace_back();
    target.name = *name;
    if (is_cluster) target.cluster = clusterId(proto.cluster_name(), at.child("cluster_name"));
    if (!is_cluster && proto.port() == 0) at.child("port").error("a host needs a port");
    target.priority = static_cast<uint16_t>(proto.priority());
    target.weight = static_cast<uint16_t>(proto.weight());
    target.port = static_cast<uint16_t>(proto.port());
  }

  upstream::ClusterId clusterId(const std::string& name, const Context& at) {
    return config::clusterNamed(name, "it has no addresses", at, services_);
  }

  config::Services& services_;
  Table& table_;
};

class ForwardingCompiler {
 public:
  explicit ForwardingCompiler(Forwarding& out) : out_(out) {}

  void compile(const Proto::ClientContextConfig& proto, uint32_t retries, const Context& at) {
    out_.max_pending = static_cast<size_t>(proto.max_pending_lookups());
    out_.resolver.use_hosts_file = false;
    out_.resolver.timeout = std::chrono::milliseconds(500);
    out_.resolver.tries = static_cast<int>(retries) + 1;
    const int ways =
        proto.has_typed_dns_resolver_config() + proto.has_dns_resolution_config() + !proto.upstream_resolvers().empty();
    if (ways > 1) at.error("names resolvers in several ways; keep typed_dns_resolver_config");
    config::addDnsServers(proto.upstream_resolvers(), "upstream_resolvers", at, out_.resolver);
    config::addDnsServers(proto.dns_resolution_config().resolvers(), "resolvers", at.child("dns_resolution_config"),
                          out_.resolver);
    if (proto.has_typed_dns_resolver_config()) compileTyped(proto, at);
    if (proto.has_resolver_timeout()) {
      out_.resolver.timeout = std::min<std::chrono::milliseconds>(config::compileMilliseconds(proto.resolver_timeout()),
                                                                  config::kLongestDnsTry);
    }
  }

 private:
  void compileTyped(const Proto::ClientContextConfig& proto, const Context& at) {
    const Context typed_at = at.child("typed_dns_resolver_config").child("typed_config");
    const auto message = config::unpackAny(proto.typed_dns_resolver_config().typed_config(), typed_at);
    if (message == nullptr) return;
    if (message->GetDescriptor() != CaresDnsResolverConfig::descriptor()) {
      return typed_at.error(absl::StrCat(message->GetDescriptor()->full_name(), " is no resolver here; use ",
                                         CaresDnsResolverConfig::descriptor()->full_name()));
    }
    config::compileCares(static_cast<const CaresDnsResolverConfig&>(*message), typed_at, out_.resolver);
  }

  Forwarding& out_;
};

// The table from elsewhere; errors have the places of its own file.
void compileExternal(const envoy::config::core::v3::DataSource& source, const Context& at, config::Services& services,
                     Table& table, DnsTable& proto) {
  config::Positions positions;
  config::Loader loader(at.errors(), positions);
  bool read = false;
  if (source.has_watched_directory()) {
    at.child("watched_directory").error(config::kReadOnce);
  } else if (!source.filename().empty()) {
    read = loader.loadFile(source.filename(), proto);
  } else if (const auto text = config::compileDataSource(source, at)) {
    read = loader.loadText(*text, config::Format::kYaml, "external_dns_table", proto);
  }
  const Context table_at(at.errors(), &positions);
  if (read && config::validate(proto, table_at)) TableCompiler(services, table).compile(proto, table_at);
}

class Factory : public config::UdpFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const filter::UdpFilter> compile(const google::protobuf::Message& message,
                                                   config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    const Context& at = context.at;
    const config::ErrorMark mark(at);
    config::Holding holding(context);
    auto settings = std::make_shared<Settings>();
    settings->stats = makeStats(proto.stat_prefix(), holding.stats());
    const Context server = at.child("server_config");
    DnsTable external;
    const DnsTable* table = &proto.server_config().inline_dns_table();
    if (proto.server_config().has_external_dns_table()) {
      compileExternal(proto.server_config().external_dns_table(), server.child("external_dns_table"), context.services,
                      settings->table, external);
      table = &external;
    } else {
      TableCompiler(context.services, settings->table).compile(*table, server.child("inline_dns_table"));
    }
    if (proto.has_client_config()) {
      ForwardingCompiler(settings->forwarding.emplace())
          .compile(proto.client_config(), table->external_retry_count(), at.child("client_config"));
    } else if (table->virtual_domains().empty()) {
      at.error("answers nothing; name virtual_domains in server_config, or resolvers in client_config");
    }
    if (mark.hit()) return nullptr;
    return std::make_shared<DnsFilter>(holding.tie(std::move(settings)));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.udp_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::udp_filters::dns_filter
