#include "source/admin/field_mask.h"

#include <catch2/catch.hpp>

#include "envoy/admin/v3/config_dump_shared.pb.h"
#include "envoy/config/cluster/v3/cluster.pb.h"

namespace sluice::admin {
namespace {

namespace api = envoy::admin::v3;
using envoy::config::cluster::v3::Cluster;

api::ClustersConfigDump dumpOf(std::initializer_list<const char*> names) {
  api::ClustersConfigDump out;
  out.set_version_info("7");
  for (const char* name : names) {
    Cluster cluster;
    cluster.set_name(name);
    cluster.mutable_connect_timeout()->set_seconds(3);
    auto& item = *out.add_static_clusters();
    item.mutable_cluster()->PackFrom(cluster);
    item.mutable_last_updated()->set_seconds(1);
  }
  return out;
}

Cluster clusterOf(const api::ClustersConfigDump& dump, int index) {
  Cluster out;
  REQUIRE(dump.static_clusters(index).cluster().UnpackTo(&out));
  return out;
}

TEST_CASE("a path leads through lists and into what is packed") {
  api::ClustersConfigDump dump = dumpOf({"one", "two"});
  auto mask = FieldMask::parse("static_clusters.cluster.name");
  REQUIRE(mask.ok());

  mask->trim(dump);

  CHECK(dump.version_info().empty());
  REQUIRE(dump.static_clusters_size() == 2);
  CHECK_FALSE(dump.static_clusters(0).has_last_updated());
  CHECK(clusterOf(dump, 1).name() == "two");
  CHECK_FALSE(clusterOf(dump, 1).has_connect_timeout());
  CHECK(mask->unknown().empty());
}

TEST_CASE("paths add up, and the shorter of two means all below it") {
  for (const char* text : {"static_clusters.cluster,static_clusters.cluster.name,version_info",
                           "version_info,static_clusters.cluster.name,static_clusters.cluster"}) {
    api::ClustersConfigDump dump = dumpOf({"one"});
    auto mask = FieldMask::parse(text);
    REQUIRE(mask.ok());

    mask->trim(dump);

    CHECK(dump.version_info() == "7");
    CHECK(clusterOf(dump, 0).connect_timeout().seconds() == 3);
    CHECK_FALSE(dump.static_clusters(0).has_last_updated());
  }
}

TEST_CASE("a path that is none is told, if there was something to look into") {
  const auto unknown = [](const char* text, std::initializer_list<const char*> names) {
    api::ClustersConfigDump dump = dumpOf(names);
    auto mask = FieldMask::parse(text);
    REQUIRE(mask.ok());
    mask->trim(dump);
    return mask->unknown();
  };

  CHECK(unknown("clusters", {}) == "clusters");
  CHECK(unknown("static_clusters.cluster.nmae", {"one"}) == "static_clusters.cluster.nmae");
  CHECK(unknown("static_clusters.cluster.nmae", {}).empty());
  CHECK(unknown("version_info.x", {}) == "version_info.x");
}

TEST_CASE("what is no list of paths is refused") {
  for (const char* text : {"", ",", "a,", "a..b", ".a", "a.", "a b", "a[0]", "*"}) {
    CAPTURE(text);
    CHECK_FALSE(FieldMask::parse(text).ok());
  }
  std::string deep = "a";
  for (int i = 0; i < 100; ++i) deep += ".a";
  CHECK_FALSE(FieldMask::parse(deep).ok());
}

}  // namespace
}  // namespace sluice::admin
