// HTTP behind network filters that wait and change bytes.
#include <catch2/catch.hpp>

#include "source/session/test_session.h"
#include "test/support/filter/fake_calls.h"
#include "test/support/filter/network_filters.h"
#include "test/support/filter/network_interleaving.h"

using namespace std::chrono_literals;

namespace sluice::session {
namespace {

namespace testing = filter::testing;

constexpr std::string_view kRequest =
    "POST /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc";

class SessionBed : public testing::NetworkBed {
 public:
  explicit SessionBed(filter::Calls& calls) : session(&calls) {
    session.terminals.on_end = [](TestTerminal& stream) {
      http::ResponseHeaders& headers = stream.stream.response();
      headers.clear();
      headers.status = 200;
      headers.add(http::Name::kDate, "now");
      headers.add(http::Name::kContentLength, "5");
      stream.runner.responseHeaders(false);
      stream.runner.responseData("hello", true);
    };
  }
  event::PolledLoop& loop() override { return session.loop; }
  void serve(filter::Accepted accepted) override {
    Connection::start(session.worker, session.settings, std::move(accepted), session.connections,
                      {http::h1::makeServerCodec, nullptr});
  }
  base::List<filter::LiveConnection>& connections() override { return session.connections; }

  TestSession session;
};

// What the client gets without filters.
std::string reply() {
  testing::FakeCalls calls;
  SessionBed bed(calls);
  auto client = bed.session.connect();
  client->send(kRequest);
  bed.loop().turn();
  return client->take();
}

TEST_CASE("a request goes through network filters whatever comes first, and so does its answer") {
  const std::string due = reply();
  REQUIRE(due.ends_with("hello"));

  CHECK(testing::runNetworkFilters([](filter::Calls& calls) { return std::make_unique<SessionBed>(calls); },
                                   std::string(kRequest), due, false) == "");
}

struct FilteredSession {
  explicit FilteredSession(filter::NetworkFilters filters) : bed(calls) {
    client = bed.session.connect(http::h1::makeServerCodec, nullptr, [&](filter::Accepted& accepted) {
      accepted.filters = std::make_shared<const filter::NetworkFilters>(std::move(filters));
    });
    bed.loop().turn();
  }
  testing::FakeCalls calls;
  SessionBed bed;
  std::unique_ptr<TestClient> client;
};

TEST_CASE("a plain connection behind network filters is none of TLS") {
  FilteredSession t({testing::pausing()});

  CHECK(t.bed.session.stat("cx_ssl_active") == 0);
  CHECK(!t.bed.session.last->peer().trusted_tls);
}

TEST_CASE("a connection whose filter waits is not timed as a handshake") {
  FilteredSession t({testing::waitsForCall()});
  t.client->send(kRequest);
  t.bed.loop().pass(1min);
  CHECK(t.bed.session.stat("cx_transport_timeout") == 0);
  CHECK(t.bed.session.stat("rq_total") == 0);

  t.calls.answer({.status = 200});
  t.bed.loop().turn();

  CHECK(t.bed.session.stat("rq_total") == 1);
  CHECK(t.client->take().ends_with("hello"));
}

TEST_CASE("a connection that a filter refuses is closed without a request, and counts as no failed handshake") {
  FilteredSession t({testing::waitsForCall()});
  t.client->send(kRequest);

  t.calls.answer({.status = 403});
  t.bed.loop().turn();

  CHECK(t.client->take() == "");
  CHECK(t.client->closed);
  CHECK(t.bed.session.open() == 0);
  CHECK(t.bed.session.stat("cx_transport_failed") == 0);
  CHECK(t.bed.session.log.empty());
}

TEST_CASE("a filter that closes cuts the request that runs") {
  FilteredSession t({testing::closing(testing::CloseAt::kClientByte, 200, 0ms)});
  t.bed.session.terminals.on_end = nullptr;
  t.client->send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n");
  t.bed.loop().turn();
  CHECK(t.bed.session.stat("rq_active") == 1);

  t.client->send(std::string(200, 'x'));
  t.bed.loop().turn();

  CHECK(t.bed.session.stat("rq_active") == 0);
  CHECK(t.bed.session.open() == 0);
  REQUIRE(t.bed.session.log.size() == 1);
  CHECK(t.bed.session.log[0] == "/a 0 enough LR");
}

}  // namespace
}  // namespace sluice::session
