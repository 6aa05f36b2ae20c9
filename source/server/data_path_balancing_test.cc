// Which host requests go to by what their routes say of them.
#include "source/server/test_data_path.h"

namespace sluice::server {
namespace {

// Two hosts, of which the hash of a request chooses.
struct ByHash : DataPath {
  ByHash() {
    config->lb.policy = std::make_shared<upstream::lb::ByHeader>("x-host");
    clusters.remove(0);
    hosts({host.address, other.address});
  }
  void hashBy(route::HashTerm term) {
    route::ForwardSpec action = forward("c");
    action.hash_policy.push_back(std::move(term));
    route("/", std::move(action));
  }
  // Gives the answer, and whether it was the first host's.
  std::pair<std::string, bool> ask(const std::string& fields) {
    TestClient& client = connect();
    client.send(request("GET", "/", fields));
    loop.turn();
    const bool first = served_ < host.accept();
    TestUpstream& by = first ? host : other;
    by.peer(by.accept() - 1).send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    loop.turn();
    served_ = host.accept();
    return {client.take(), first};
  }

  TestUpstream other;

 private:
  size_t served_ = 0;
};

TEST_CASE("requests of one header value go to one host, and others elsewhere") {
  ByHash t;
  t.hashBy({.kind = route::HashTerm::Kind::kHeader, .name = "x-user"});
  int of_first = 0;

  for (int user = 0; user < 16; ++user) {
    const std::string fields = "x-user: u" + std::to_string(user) + "\r\n";
    const bool first = t.ask(fields).second;
    of_first += first;
    CHECK(t.ask(fields).second == first);
  }
  CHECK(of_first > 0);
  CHECK(of_first < 16);
}

TEST_CASE("a client without the cookie of a hash policy is given it, and stays at the host with it") {
  ByHash t;
  t.hashBy({.kind = route::HashTerm::Kind::kCookie,
            .name = "sid",
            .makes_cookie = true,
            .cookie_attributes = "; Max-Age=60; HttpOnly"});

  for (int i = 0; i < 8; ++i) {
    const auto [answer, first] = t.ask("");
    const size_t at = answer.find("set-cookie: sid=\"");
    REQUIRE(at != std::string::npos);
    CHECK(contains(answer, "\"; Max-Age=60; HttpOnly\r\n"));
    const std::string value = answer.substr(at + 17, 16);

    const auto [second_answer, again] = t.ask("cookie: a=b; sid=" + value + "\r\n");

    CHECK(again == first);
    CHECK_FALSE(contains(second_answer, "set-cookie"));
  }
}

}  // namespace
}  // namespace sluice::server
