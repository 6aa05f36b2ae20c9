#include "source/filter/rbac/audit.h"

#include <catch2/catch.hpp>

#include "source/base/arena.h"
#include "source/stream/stream_info.h"

namespace sluice::filter::rbac {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::system_clock::time_point kNow{1'700'000'000'123ms};

TEST_CASE("a decision about a request is one line, whatever the client sent") {
  base::Arena arena;
  http::RequestHeaders request(arena);
  request.method = "GET";
  stream::StreamInfo info;
  info.downstream_remote_address = "10.0.0.1:4000";
  Subject subject;
  subject.data.request = &request;
  subject.data.info = &info;
  subject.path = "/a\"b\n";

  CHECK(auditLine(subject, "admins", true, kNow) ==
        "{\"rbac_audit_log\":{\"timestamp\":\"2023-11-14T22:13:20.123Z\",\"method\":\"GET\",\"path\":\"/a\\\"b\\n\","
        "\"source\":\"10.0.0.1:4000\",\"matched_rule\":\"admins\",\"authorized\":true}}\n");
}

TEST_CASE("a decision about a connection tells of the client that was verified") {
  const net::Address remote = *net::Address::parse("10.0.0.1:4000");
  net::TlsInfo tls;
  tls.peer.dns_sans = {"c.example"};
  tls.peer_validated = true;
  Subject subject;
  subject.data.remote = &remote;
  subject.tls = &tls;

  CHECK(auditLine(subject, "", false, kNow) ==
        "{\"rbac_audit_log\":{\"timestamp\":\"2023-11-14T22:13:20.123Z\",\"principal\":\"c.example\","
        "\"source\":\"10.0.0.1:4000\",\"authorized\":false}}\n");
  tls.peer.uri_sans = {"spiffe://a/b"};
  CHECK(auditLine(subject, "", false, kNow).find("\"principal\":\"spiffe://a/b\"") != std::string::npos);
  tls.peer_validated = false;
  CHECK(auditLine(subject, "", false, kNow).find("principal") == std::string::npos);
}

TEST_CASE("only decisions that are asked for are told") {
  CHECK(Audit{.denials = true}.wants(false));
  CHECK_FALSE(Audit{.denials = true}.wants(true));
  CHECK(Audit{.permissions = true}.wants(true));
  CHECK_FALSE(Audit{.permissions = true}.wants(false));
}

}  // namespace
}  // namespace sluice::filter::rbac
