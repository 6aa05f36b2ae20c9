#include "source/xds/serving_report.h"

#include <catch2/catch.hpp>

namespace sluice::xds {
namespace {

ServingReport reportWith(size_t waiting) {
  ServingReport report;
  report.taken = {{"a.Cluster", "7"}, {"a.Route", ""}};
  for (size_t i = 0; i < waiting; ++i) report.waiting.push_back({"a.Cluster", "c" + std::to_string(i), "endpoints"});
  report.waiting_count = waiting;
  return report;
}

TEST_CASE("a report comes out as it went in, over both encodings") {
  for (const Variant variant : {Variant::kSotw, Variant::kDelta}) {
    const WireEncoder& encoder = wireEncoder(variant);
    for (const size_t waiting : {0, 2}) {
      const auto request = encoder.decodeRequest(encoder.encode(requestOf(reportWith(waiting))));
      REQUIRE(request.ok());
      CHECK(reportOf(*request) == reportWith(waiting));
    }
  }
}

TEST_CASE("what is no report, or not a whole one, is none") {
  Request request = requestOf(reportWith(1));
  const auto changed = [&](auto change) {
    Request copy = request;
    auto node = std::make_shared<envoy::config::core::v3::Node>(*request.node);
    change(*node->mutable_metadata()->mutable_fields());
    copy.node = node;
    return reportOf(copy);
  };

  CHECK(changed([](auto&) {}).has_value());
  for (const char* field : {"sluice.taken", "sluice.waiting", "sluice.waiting_count"}) {
    CHECK_FALSE(changed([&](auto& fields) { fields.erase(field); }).has_value());
    CHECK_FALSE(changed([&](auto& fields) { fields[field].set_bool_value(true); }).has_value());
  }
  for (const double count : {-1.0, 1e300}) {
    CHECK_FALSE(changed([&](auto& fields) { fields["sluice.waiting_count"].set_number_value(count); }).has_value());
  }
  const std::string at_most(ServingReport::kMaxText, 'x'), longer = at_most + "x";
  const auto taken = [&](const std::string& type, const std::string& nonce) {
    return changed([&](auto& fields) {
      auto& all = *fields["sluice.taken"].mutable_struct_value()->mutable_fields();
      all[type].set_string_value(nonce);
    });
  };
  CHECK(taken(at_most, at_most).has_value());
  CHECK_FALSE(taken(longer, "1").has_value());
  CHECK_FALSE(taken("a.B", longer).has_value());
  request.type_url = "type.googleapis.com/a.B";
  CHECK_FALSE(reportOf(request).has_value());
  CHECK_FALSE(reportOf(Request{}).has_value());
}

TEST_CASE("of a report that lists too much the first are kept, and one that counts too few counts what it lists") {
  ServingReport report = reportWith(150);
  report.waiting_count = 1;
  report.waiting[0].name = std::string(10'000, 'x');

  const auto kept = reportOf(requestOf(report));

  REQUIRE(kept.has_value());
  CHECK(kept->waiting.size() == ServingReport::kMaxWaiting);
  CHECK(kept->waiting_count == ServingReport::kMaxWaiting);
  CHECK(kept->waiting[0].name.size() == ServingReport::kMaxText);
}

}  // namespace
}  // namespace sluice::xds
