// Hashes of what a route's configuration makes of requests and answers: equal ones may share stored answers.
//
// Left out is what a request says itself or what is no matter of its answer: what matches, names, weights, limits of
// time and bytes, retries, statistics. A field that is not known to be such counts. Thread: main.
#pragma once

#include <cstdint>

#include "envoy/config/route/v3/route.pb.h"

namespace sluice::config {

uint64_t fingerprintOf(const envoy::config::route::v3::RouteConfiguration& table);
uint64_t fingerprintOf(const envoy::config::route::v3::VirtualHost& host, uint64_t of_table);
// Without its cluster, or what chooses that, and without what a share of a weighted one adds.
uint64_t fingerprintOf(const envoy::config::route::v3::Route& route, uint64_t of_host);
uint64_t fingerprintOf(const envoy::config::route::v3::WeightedCluster::ClusterWeight& share);

}  // namespace sluice::config
