#include "source/upstream/pool/connecting.h"

#include <optional>

#include "source/upstream/pool/host_place.h"
#include "source/upstream/pool/overflow.h"

namespace sluice::upstream::pool {

using cluster::HostStat;
using cluster::Resource;

namespace {

std::span<const net::Address> addressesOf(const PoolContext& context, const cluster::Host& host) {
  if (context.hosts != nullptr && context.hosts->host(host.slot()) == &host) {
    const std::span<const net::Address> several = context.hosts->addressesOf(host.slot());
    if (!several.empty()) return several;
  }
  return {&host.address(), 1};
}

using Options = net::TransportFactory::Options;

absl::StatusOr<net::Fd> startAt(const PoolContext& context, const net::Address& address,
                                const net::TransportFactory* factory, const Options& options) {
  net::InternalListeners* internal = context.buffers.internal_listeners;
  if (address.isListener() && internal != nullptr) {
    return internal->connectTo(address, options.internal_hops,
                               factory == nullptr ? nullptr : factory->handedOver(options));
  }
  return net::startConnect(address, context.config->connect, options.source);
}

// At the first of them where connecting can begin at all; those behind it are left in `addresses`.
absl::StatusOr<net::Fd> startAtFirst(const PoolContext& context, std::span<const net::Address>& addresses,
                                     const net::TransportFactory* factory, const Options& options) {
  for (;;) {
    absl::StatusOr<net::Fd> fd = startAt(context, addresses.front(), factory, options);
    addresses = addresses.subspan(1);
    if (fd.ok() || absl::IsResourceExhausted(fd.status()) || addresses.empty()) return fd;
  }
}

// Descriptors, or an address that a client lends: of another family than the host, in use, or not allowed.
bool isOfOurs(const absl::Status& status, const Options& options) {
  if (absl::IsResourceExhausted(status)) return true;
  const bool of_source =
      absl::IsInvalidArgument(status) || absl::IsAlreadyExists(status) || absl::IsPermissionDenied(status);
  return options.source != nullptr && of_source;
}

// Why not; empty: begun.
std::string start(const PoolContext& context, const cluster::Host& host, Options options, BegunConnection& out) {
  const net::TransportFactory* factory = context.config->transportOf(host.metadata());
  net::Descriptors& descriptors = context.buffers.descriptors;
  if (factory != nullptr) {
    if (std::string missing = factory->notReady(); !missing.empty()) return missing;
  }
  options.host = &host.address();
  options.host_metadata = &host.metadata();
  options.cluster_metadata = &context.config->metadata;
  options.cells = &context.cells;
  const std::optional<net::Address> proxy = factory != nullptr ? factory->proxyOf(options) : std::nullopt;
  out.others = proxy ? std::span(&*proxy, 1) : addressesOf(context, host);
  absl::StatusOr<net::Fd> fd = startAtFirst(context, out.others, factory, options);
  if (options.source != nullptr) out.others = {};  // whoever is raced to would be reached from another address
  if (absl::IsResourceExhausted(fd.status())) descriptors.refused();
  if (!fd.ok()) {
    out.of_ours = isOfOurs(fd.status(), options);
    return std::string(fd.status().message());
  }
  if (!descriptors.admit(*fd)) {
    out.of_ours = true;
    return "no file descriptors left for connections";
  }
  out.fd = *std::move(fd);
  if (factory != nullptr) out.transport = factory->make(options);
  return {};
}

}  // namespace

Begin beginConnection(const PoolContext& context, const cluster::Host& host, cluster::HostStats::Row& host_stats,
                      cluster::RoutingPriority priority, const net::TransportFactory::Options& options,
                      BegunConnection& out, bool first) {
  const auto takePlace = [&] { return context.breakers->tryAcquire(Resource::kConnections, priority); };
  out.host_full = !takeHostPlace(context, host, priority, first);
  if (out.host_full) {
    context.cells.add(context.stats.cx_overflow);
    return Begin::kOverflow;
  }
  if (!takePlace() && !(context.room != nullptr && context.room->closeIdle(priority) && takePlace())) {
    giveHostPlace(context, host, priority);
    context.cells.add(context.stats.cx_overflow);
    return Begin::kOverflow;
  }
  context.cells.add(context.stats.cx_total);
  host_stats.add(HostStat::kCxTotal);
  out.failure = start(context, host, options, out);
  if (out.failure.empty()) {
    context.cells.add(context.stats.cx_active);
    if (context.connections != nullptr) ++*context.connections;
    host_stats.add(HostStat::kCxActive);
    return Begin::kBegun;
  }
  context.breakers->release(Resource::kConnections, priority);
  giveHostPlace(context, host, priority);
  context.cells.add(context.stats.cx_connect_fail);
  host_stats.add(HostStat::kCxConnectFail);
  return Begin::kFailed;
}

std::string overflowText(const PoolContext& context, const BegunConnection& begun, cluster::RoutingPriority priority) {
  return begun.host_full ? hostOverflowText(context, priority)
                         : overflowText(context, Resource::kConnections, priority);
}

void endConnection(const PoolContext& context, const cluster::Host& host, cluster::HostStats::Row& host_stats,
                   cluster::RoutingPriority priority) {
  context.breakers->release(Resource::kConnections, priority);
  giveHostPlace(context, host, priority);
  context.cells.sub(context.stats.cx_active);
  if (context.connections != nullptr) --*context.connections;
  host_stats.sub(HostStat::kCxActive);
  context.cells.add(context.stats.cx_destroy);
}

}  // namespace sluice::upstream::pool
