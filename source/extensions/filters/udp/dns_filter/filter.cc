#include "source/extensions/filters/udp/dns_filter/filter.h"

#include <algorithm>
#include <utility>

#include "source/extensions/filters/udp/dns_filter/name.h"

namespace sluice::extensions::udp_filters::dns_filter {

// A name that a resolver is asked for.
struct Service::Lookup {
  Asker asker;
  Query query;
  std::shared_ptr<const Settings> settings;
  std::shared_ptr<net::DnsResolver> resolver;
  std::unique_ptr<net::DnsQuery> under_way;  // goes before its resolver
  std::unique_ptr<event::Timer> deadline;
};

namespace {

// As long as all tries of a resolver take, and a little more: it is to say itself that it failed. Each try goes through
// all servers (resolv.conf has three at most), and each family has its own.
event::Duration patienceOf(const net::DnsResolverOptions& options, const Query& query) {
  const auto servers = static_cast<int64_t>(options.servers.empty() ? 3 : options.servers.size());
  const int64_t families = query.wants(RecordType::kAny) ? 2 : 1;
  const int64_t tries = (1 << std::clamp(options.tries, 1, 10)) - 1;
  return options.timeout * (tries * servers * families) + std::chrono::seconds(1);
}

net::DnsLookupFamily familyOf(const Query& query) {
  if (query.wants(RecordType::kAny)) return net::DnsLookupFamily::kAll;
  return query.wants(RecordType::kA) ? net::DnsLookupFamily::kV4Only : net::DnsLookupFamily::kV6Only;
}

}  // namespace

std::unique_ptr<filter::UdpService> DnsFilter::serve(worker::WorkerServices& worker) const {
  return std::make_unique<Service>(worker, settings_, [](event::Loop& loop, const net::DnsResolverOptions& options) {
    return net::makeDnsResolver(loop, options);
  });
}

Service::Service(worker::WorkerServices& worker, std::shared_ptr<const Settings> settings, MakeResolver make_resolver)
    : worker_(worker), make_resolver_(std::move(make_resolver)), settings_(std::move(settings)) {}

Service::~Service() = default;

bool Service::update(const filter::UdpFilter& filter, std::chrono::milliseconds) {
  const auto* const mine = dynamic_cast<const DnsFilter*>(&filter);
  if (mine == nullptr) return false;
  settings_ = mine->settings();
  resolver_.reset();  // questions that wait hold it
  return true;
}

void Service::onReadError() {
  worker_.cells.add(settings_->stats.rx_errors);
}

void Service::onDatagrams(filter::UdpPort& port, std::span<const net::Datagram> datagrams) {
  for (const net::Datagram& datagram : datagrams) {
    const Asker asker{base::LocalPtr<filter::UdpPort>(&port), datagram.peer, datagram.local, worker_.loop.now()};
    onDatagram(asker, datagram.payload);
  }
}

void Service::onDatagram(const Asker& asker, std::string_view payload) {
  const Stats& stats = settings_->stats;
  worker_.cells.add(stats.rx_queries);
  worker_.cells.record(stats.rx_bytes, payload.size());
  Parsed parsed = parseQuery(payload);
  if (parsed.short_of_bytes) worker_.cells.add(stats.query_buffer_underflow);
  if (parsed.long_name) worker_.cells.add(stats.record_name_overflow);
  if (parsed.result != Parsed::Result::kQuery) {
    worker_.cells.add(stats.rx_invalid_queries);
    worker_.cells.add(stats.query_parsing_failure);
    if (parsed.result == Parsed::Result::kIgnore) return;
    Answer answer(parsed.query, false);
    return reply(*settings_, asker, answer, parsed.rcode);
  }
  countQuery(parsed.query);
  const bool known = settings_->table.answersFor(parsed.query.name);
  if (known) worker_.cells.add(stats.known_domain_queries);
  if (known || !settings_->forwarding) return answerFromTable(asker, parsed.query);
  lookUp(asker, std::move(parsed.query));
}

void Service::countQuery(const Query& query) {
  const Stats& stats = settings_->stats;
  worker_.cells.add(query.wants(RecordType::kA)      ? stats.a_queries
                    : query.wants(RecordType::kAaaa) ? stats.aaaa_queries
                    : query.wants(RecordType::kSrv)  ? stats.srv_queries
                                                     : stats.unsupported_queries);
}

// --- from the table

void Service::answerFromTable(const Asker& asker, const Query& query) {
  Answer answer(query, true);
  const Domain* const domain = settings_->table.find(query.name);
  const Rcode rcode = domain == nullptr ? Rcode::kNoSuchName : answerDomain(*domain, query, answer);
  if (answer.answers() == 0) worker_.cells.add(settings_->stats.unanswered_queries);
  reply(*settings_, asker, answer, rcode);
}

// A name that has no record of this type exists all the same.
Rcode Service::answerDomain(const Domain& domain, const Query& query, Answer& answer) {
  const Stats& stats = settings_->stats;
  for (const bool ipv6 : {false, true}) {
    if (!query.wantsAddresses(ipv6)) continue;
    const size_t own = addAddresses(ipv6 ? domain.ipv6 : domain.ipv4, domain.ttl, answer);
    worker_.cells.add(ipv6 ? stats.local_aaaa_answers : stats.local_a_answers, own);
    if (!domain.cluster) continue;
    const size_t hosts = addAddresses(addressesOf(*domain.cluster, ipv6), domain.ttl, answer);
    worker_.cells.add(ipv6 ? stats.cluster_aaaa_answers : stats.cluster_a_answers, hosts);
  }
  if (query.wants(RecordType::kSrv) || query.wants(RecordType::kAny)) answerService(domain, answer);
  return Rcode::kNoError;
}

void Service::answerService(const Domain& domain, Answer& answer) {
  std::vector<const ServiceTarget*> told;
  for (const ServiceTarget& target : domain.targets) {
    const uint16_t port = target.port == 0 && target.cluster ? portOf(*target.cluster) : target.port;
    if (!answer.addService(target.priority, target.weight, port, target.name, domain.ttl)) break;
    worker_.cells.add(settings_->stats.local_srv_answers);
    told.push_back(&target);
  }
  for (const ServiceTarget* target : told) {
    for (const bool ipv6 : {false, true}) {
      std::vector<net::Address> addresses;
      if (target->cluster) addresses = addressesOf(*target->cluster, ipv6);
      if (const Domain* const named = settings_->table.find(target->name); named != nullptr && !target->cluster) {
        addresses = ipv6 ? named->ipv6 : named->ipv4;
      }
      for (const net::Address& address : addresses) {
        if (!answer.addOther(target->name, address, domain.ttl)) return;
      }
    }
  }
}

// Of its first host; 0: it has none.
uint16_t Service::portOf(upstream::ClusterId id) {
  const auto cluster = worker_.part<upstream::ClusterSet>().find(id);
  if (!cluster) return 0;
  for (const auto& entry : cluster->hosts().entries()) {
    if (entry.host->address().isIp()) return entry.host->address().port();
  }
  return 0;
}

// From a host by chance on, each address once, and no more than an answer has room for.
std::vector<net::Address> Service::addressesOf(upstream::ClusterId id, bool ipv6) {
  constexpr size_t kMost = Answer::kMaxSize / 16;
  std::vector<net::Address> out;
  const auto cluster = worker_.part<upstream::ClusterSet>().find(id);
  if (!cluster) return out;
  const auto entries = cluster->hosts().entries();
  const auto wanted = ipv6 ? net::Address::Family::kIpv6 : net::Address::Family::kIpv4;
  const size_t first = entries.empty() ? 0 : worker_.random.below(entries.size());
  for (size_t i = 0; i < entries.size() && out.size() < kMost; ++i) {
    const net::Address address = entries[(first + i) % entries.size()].host->address().withPort(0);
    if (address.family() == wanted && std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
  }
  return out;
}

// From a place by chance on, so that the first is not always the same; as many as there is room for.
size_t Service::addAddresses(const std::vector<net::Address>& addresses, uint32_t ttl, Answer& answer) {
  if (addresses.empty()) return 0;
  const size_t first = worker_.random.below(addresses.size());
  size_t added = 0;
  while (added < addresses.size() && answer.addAddress(addresses[(first + added) % addresses.size()], ttl)) ++added;
  return added;
}

// --- from elsewhere

void Service::lookUp(const Asker& asker, Query query) {
  const Stats& stats = settings_->stats;
  const bool ipv4 = query.wants(RecordType::kA);
  const bool ipv6 = query.wants(RecordType::kAaaa);
  worker_.cells.add(ipv4   ? stats.external_a_queries
                    : ipv6 ? stats.external_aaaa_queries
                           : stats.external_unsupported_queries);
  const auto host = hostText(query.name);
  const bool supported = ipv4 || ipv6 || query.wants(RecordType::kAny);
  const bool full = lookups_.size() >= settings_->forwarding->max_pending;
  if (!supported || !host || full) {
    worker_.cells.add(stats.unanswered_queries);
    Answer answer(query, false);
    return reply(*settings_, asker, answer,
                 !supported ? Rcode::kNotImplemented
                 : full     ? Rcode::kServerFailure
                            : Rcode::kNoSuchName);
  }
  if (!resolver_) resolver_ = make_resolver_(worker_.loop, settings_->forwarding->resolver);
  Lookup& lookup = *lookups_.emplace_back(
      std::unique_ptr<Lookup>(new Lookup{asker, std::move(query), settings_, resolver_, nullptr, nullptr}));
  lookup.deadline = std::make_unique<event::Timer>(worker_.loop.timers(), [this, &lookup] { onFound(lookup, {}); });
  lookup.deadline->arm(patienceOf(settings_->forwarding->resolver, lookup.query));
  // With the dot at its end it is no beginning of other names, whatever resolv.conf says of those (search).
  lookup.under_way = resolver_->resolve(*host + '.', familyOf(lookup.query),
                                        [this, &lookup](net::DnsResult result) { onFound(lookup, std::move(result)); });
}

// A name that does not exist and one without an address of the family are the same here: an answer without records.
void Service::onFound(Lookup& lookup, net::DnsResult result) {
  const auto at =
      std::find_if(lookups_.begin(), lookups_.end(), [&](const auto& each) { return each.get() == &lookup; });
  const std::unique_ptr<Lookup> done = std::move(*at);
  lookups_.erase(at);
  const Stats& stats = done->settings->stats;
  worker_.cells.add(stats.externally_resolved_queries);
  Answer answer(done->query, false);
  const auto ttl =
      result.ttl.count() > 0 ? static_cast<uint32_t>(std::min<int64_t>(result.ttl.count(), INT32_MAX)) : kDefaultTtl;
  for (const net::Address& address : result.addresses) {
    const bool ipv6 = address.family() == net::Address::Family::kIpv6;
    if (!done->query.wantsAddresses(ipv6) || !answer.addAddress(address, ttl)) continue;
    worker_.cells.add(ipv6 ? stats.external_aaaa_answers : stats.external_a_answers);
  }
  if (answer.answers() == 0) worker_.cells.add(stats.unanswered_queries);
  const bool failed = result.status == net::DnsResult::Status::kFailed;
  reply(*done->settings, done->asker, answer, failed ? Rcode::kServerFailure : Rcode::kNoError);
}

void Service::reply(const Settings& settings, const Asker& asker, Answer& answer, Rcode rcode) {
  const std::string bytes = answer.finish(rcode);
  const std::string_view payload = bytes;
  worker_.cells.add(settings.stats.tx_responses);
  worker_.cells.record(settings.stats.tx_bytes, bytes.size());
  const event::Duration took = worker_.loop.now() - asker.since;
  worker_.cells.record(settings.stats.query_latency,
                       std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
  asker.port->send(asker.client, asker.local, {&payload, 1});
}

}  // namespace sluice::extensions::udp_filters::dns_filter
