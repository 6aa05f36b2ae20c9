#include "source/config/transport_matches.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/config/format/substitution_format.h"
#include "source/config/transport_socket_factory.h"

namespace sluice::config {
namespace {

using envoy::config::cluster::v3::Cluster;
using upstream::cluster::TransportMatch;
using upstream::cluster::TransportMatches;

observability::Counter countOf(std::string_view name, observability::Scope& stats) {
  return stats.counter(absl::StrCat("transport_socket_match.", std::string(name), ".total_match_count"));
}

TransportMatch compileMatch(const Cluster::TransportSocketMatch& proto, observability::Scope& stats,
                            const FactoryContext& context) {
  TransportMatch out;
  out.name = proto.name();
  for (const stream::MetadataField& field : fieldsOf(proto.match())) out.wanted.emplace_back(field.name, field.value);
  if (proto.has_transport_socket()) {
    out.transport =
        compileTransport(proto.transport_socket(), TransportSide::kUpstream, context.child("transport_socket"));
  } else {
    context.at.child("transport_socket").error("a match needs its transport socket; for a plain one name RawBuffer");
  }
  out.chosen = countOf(proto.name(), stats);
  return out;
}

}  // namespace

TransportMatches compileTransportMatches(const Cluster& cluster, std::string_view needs_tls,
                                         const FactoryContext& context) {
  TransportMatches out;
  if (cluster.transport_socket_matches().empty()) return out;
  observability::Scope stats = context.services.stats.scope("cluster", context.owner);
  out.no_match = countOf("default", stats);
  for (int i = 0; i < cluster.transport_socket_matches_size(); ++i) {
    const FactoryContext at = context.child("transport_socket_matches", static_cast<size_t>(i));
    out.list.push_back(compileMatch(cluster.transport_socket_matches(i), stats, at));
    const bool tls = out.list.back().transport && out.list.back().transport->isTls();
    if (!needs_tls.empty() && !tls) at.at.child("transport_socket").error(std::string(needs_tls));
  }
  out.hold = observability::Scope::share(std::move(stats));
  return out;
}

}  // namespace sluice::config
