#include "source/extensions/filters/http/original_src/filter.h"

#include <catch2/catch.hpp>

#include "source/net/socket.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::original_src {
namespace {

using filter::testing::Harness;

TEST_CASE("a request goes on from the address of its client, from any port") {
  Harness h({std::make_shared<FilterFactory>(Settings{9})});
  h.stream.info().downstream_remote_address = "10.1.2.3:4567";

  h.request("GET", {}, true);

  const auto& source = h.stream.info().upstream_source;
  REQUIRE(source);
  CHECK(*source == net::BorrowedSource{*net::Address::parse("10.1.2.3:0"), 9});
  CHECK(h.terminal.complete);
}

TEST_CASE("a client without an IP address changes nothing") {
  Harness h({std::make_shared<FilterFactory>(Settings{})});
  h.stream.info().downstream_remote_address = "/run/client.sock";

  h.request("GET", {}, true);

  CHECK(h.stream.info().upstream_source == nullptr);
}

TEST_CASE("it passes the interleaving suite") {
  filter::testing::Suite suite;
  suite.chain = [] {
    return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{std::make_shared<FilterFactory>(Settings{})};
  };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::original_src
