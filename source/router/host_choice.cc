#include "source/router/host_choice.h"

#include <optional>
#include <variant>

#include "source/route/request_policies.h"
#include "source/upstream/panic_note.h"

namespace sluice::router {

base::LocalPtr<upstream::WorkerCluster> findCluster(upstream::ClusterSet& clusters, const filter::Stream& stream) {
  const filter::UpstreamChoice* choice = stream.upstreamChoice();
  if (choice != nullptr && !choice->cluster.empty()) return clusters.find(choice->cluster);
  const route::Match& match = stream.route();
  const route::ClusterId id = match.cluster();
  return id == route::kNoCluster ? clusters.find(match.clusterName()) : clusters.find(id);
}

namespace {

class Asker final : public upstream::lb::LbContext {
 public:
  Asker(const http::RequestHeaders& request, filter::Stream* stream, const HostRefusals* refusals,
        const route::RequestPolicies* of_cluster)
      : stream_(stream), refusals_(refusals), of_cluster_(of_cluster) {
    headers = &request;
    if (refusals != nullptr) {
      attempts = refusals->attempts();
      repicks = refusals->repicks();
      passed_over = refusals->passedOver();
    }
    const filter::UpstreamChoice* choice = stream == nullptr ? nullptr : stream->upstreamChoice();
    if (choice == nullptr || choice->host.empty()) return;
    if (refusals != nullptr && !choice->only_host) return;  // it had its try
    override_host = &chosen_.emplace(
        upstream::lb::OverrideHost{net::Address::parse(choice->host).value_or(net::Address()), choice->only_host});
  }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  std::optional<uint64_t> hash() const override {
    const route::HashPolicy* const policy = hashPolicy();
    if (policy == nullptr) return std::nullopt;
    filter::ResponseCookies cookies(*stream_);
    return route::hashOf(*policy, *headers, stream_->info(), cookies);
  }
  // Those of the route, with what filters left over them.
  const stream::MetadataCriteria* metadataCriteria() const override {
    if (stream_ == nullptr) return nullptr;
    const stream::MetadataCriteria* criteria = stream_->route().metadataMatch();
    const stream::DynamicMetadata* dynamic = stream_->info().dynamic_metadata.get();
    const stream::MetadataValue* left = dynamic == nullptr ? nullptr : dynamic->find(stream::kBalancingMetadata);
    const auto* fields = left == nullptr ? nullptr : std::get_if<stream::MetadataFields>(&left->value);
    if (fields == nullptr) return criteria;
    return &criteria_.emplace(criteria == nullptr ? stream::MetadataCriteria(*fields) : criteria->with(*fields));
  }
  const stream::DynamicMetadata* dynamicMetadata() const override {
    return stream_ == nullptr ? nullptr : stream_->info().dynamic_metadata.get();
  }
  upstream::lb::Destination destination() const override {
    if (stream_ == nullptr) return {};
    const stream::StreamInfo& info = stream_->info();
    return {net::Address::parse(info.downstream_local_address).value_or(net::Address()), info.redirected};
  }

  const dns_cache::ResolvedHost* resolvedHost() const override {
    const filter::UpstreamChoice* choice = stream_ == nullptr ? nullptr : stream_->upstreamChoice();
    return choice == nullptr ? nullptr : choice->resolved;
  }
  bool refuses(const upstream::cluster::Host& host) const override { return refusals_->refuses(host); }

 private:
  // The cluster's, if it has one; null: none.
  const route::HashPolicy* hashPolicy() const {
    if (stream_ == nullptr || stream_->route().route == nullptr) return nullptr;
    if (of_cluster_ != nullptr && of_cluster_->hash) return of_cluster_->hash.get();
    const route::Forward* forward = stream_->route().route->forward;
    return forward == nullptr ? nullptr : forward->hash_policy;
  }

  filter::Stream* const stream_;                      // null: a call-out
  const HostRefusals* const refusals_;                // null: none
  const route::RequestPolicies* const of_cluster_;    // null: none
  std::optional<upstream::lb::OverrideHost> chosen_;  // by a filter
  mutable std::optional<stream::MetadataCriteria> criteria_;
};

}  // namespace

upstream::cluster::HostSlot pickHost(upstream::WorkerCluster& cluster, const http::RequestHeaders& request,
                                     filter::Stream* stream, const HostRefusals* refusals) {
  const Asker asker(request, stream, refusals, cluster.config().request_policies.get());
  const upstream::cluster::HostSlot slot = cluster.pick(asker);
  if (asker.panicked && stream != nullptr) upstream::notePanic(stream->info(), slot);
  return slot;
}

void describeHost(filter::Stream& stream, const upstream::cluster::ClusterConfig& cluster,
                  const upstream::cluster::Host& host) {
  stream::StreamInfo& info = stream.info();
  info.upstream_host = stream.arena().copy(host.addressText());
  info.upstream_host_name = host.hostname().empty() ? info.upstream_host : stream.arena().copy(host.hostname());
  info.setUpstreamMetadata(cluster.metadata, host.metadata());
}

}  // namespace sluice::router
