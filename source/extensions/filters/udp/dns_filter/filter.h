// Answers DNS questions on one worker: from the table at once, other names when a resolver has answered.
//
// A question that waits holds the port, the resolver and the settings that it came by, so that it is answered as it was
// asked, whatever changes meanwhile. Thread: the worker's.
#pragma once

#include <memory>
#include <string>

#include "source/base/intrusive_list.h"
#include "source/extensions/filters/udp/dns_filter/message.h"
#include "source/extensions/filters/udp/dns_filter/settings.h"
#include "source/filter/udp.h"

namespace sluice::extensions::udp_filters::dns_filter {

class DnsFilter final : public filter::UdpFilter {
 public:
  explicit DnsFilter(std::shared_ptr<const Settings> settings) : settings_(std::move(settings)) {}

  const std::shared_ptr<const Settings>& settings() const { return settings_; }
  std::unique_ptr<filter::UdpService> serve(worker::WorkerServices& worker) const override;

 private:
  const std::shared_ptr<const Settings> settings_;
};

class Service final : public filter::UdpService {
 public:
  // How resolvers are made; tests have their own.
  using MakeResolver = std::function<std::unique_ptr<net::DnsResolver>(event::Loop&, const net::DnsResolverOptions&)>;
  static constexpr uint32_t kDefaultTtl = 300;  // seconds, of what a resolver found without saying how long it holds

  Service(worker::WorkerServices& worker, std::shared_ptr<const Settings> settings, MakeResolver make_resolver);
  ~Service() override;

  void onDatagrams(filter::UdpPort& port, std::span<const net::Datagram> datagrams) override;
  void onReadError() override;
  bool update(const filter::UdpFilter& filter, std::chrono::milliseconds drain_time) override;
  // Questions that wait are answered: each of them has a deadline.
  void drain(const filter::UdpPort*, std::chrono::milliseconds) override {}
  size_t sessions() const override { return lookups_.size(); }

 private:
  // Whom an answer goes to, and since when he waits.
  struct Asker {
    base::LocalPtr<filter::UdpPort> port;
    net::Address client, local;
    event::TimePoint since;
  };
  struct Lookup;

  void onDatagram(const Asker& asker, std::string_view payload);
  void countQuery(const Query& query);
  void answerFromTable(const Asker& asker, const Query& query);
  Rcode answerDomain(const Domain& domain, const Query& query, Answer& answer);
  void answerService(const Domain& domain, Answer& answer);
  uint16_t portOf(upstream::ClusterId cluster);
  std::vector<net::Address> addressesOf(upstream::ClusterId cluster, bool ipv6);
  size_t addAddresses(const std::vector<net::Address>& addresses, uint32_t ttl, Answer& answer);
  void lookUp(const Asker& asker, Query query);
  void onFound(Lookup& lookup, net::DnsResult result);
  void reply(const Settings& settings, const Asker& asker, Answer& answer, Rcode rcode);

  worker::WorkerServices& worker_;
  const MakeResolver make_resolver_;
  std::shared_ptr<const Settings> settings_;
  std::shared_ptr<net::DnsResolver> resolver_;  // of settings_; null: not made, or none is wanted
  std::vector<std::unique_ptr<Lookup>> lookups_;
};

}  // namespace sluice::extensions::udp_filters::dns_filter
