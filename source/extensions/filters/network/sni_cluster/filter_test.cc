#include "source/extensions/filters/network/sni_cluster/filter.h"

#include <catch2/catch.hpp>

#include "source/filter/test_network.h"

namespace sluice::extensions::network_filters::sni_cluster {
namespace {

TEST_CASE("the server name is the cluster, and without one the terminal filter's own stays") {
  filter::TestNetwork t;
  const SniCluster filter;
  CHECK(!t.refusal(filter));
  CHECK(t.facts.cluster == "");

  t.facts.server_name = "db.example";

  CHECK(!t.refusal(filter));
  CHECK(t.facts.cluster == "db.example");
}

}  // namespace
}  // namespace sluice::extensions::network_filters::sni_cluster
