// HTTP/2 to the upstream, from clients of either protocol, and gRPC calls of filters.
#include "source/http/h2/codec.h"
#include "source/server/test_data_path.h"
#include "source/upstream/pool/test_h2_host.h"

namespace sluice::server {
namespace {

using upstream::cluster::UpstreamProtocol;
using upstream::pool::H2Host;
namespace h2 = http::h2;

struct H2Path : DataPath {
  explicit H2Path(UpstreamProtocol protocol = UpstreamProtocol::kHttp2) {
    config->http.protocol = protocol;
    publish();
  }
  H2Host h2host(size_t peer = 0) { return H2Host(loop, host, peer); }
};

// A client of HTTP/2.
struct H2Client {
  H2Client(DataPath& path) : path(path) {
    client = &path.connect();
    client->send(h2::preface());
    path.loop.turn();
  }
  std::string head(uint32_t stream, const h2::Fields& fields, bool end) {
    return h2::frame(h2::kHeaders, static_cast<uint8_t>(h2::kEndHeaders | (end ? h2::kEndStream : 0)), stream,
                     deflater.block(fields));
  }
  void get(uint32_t stream, const std::string& method = "GET") {
    client->send(head(stream, {{":method", method}, {":scheme", "http"}, {":authority", "x"}, {":path", "/"}}, true));
  }
  std::string seen() {
    path.loop.turn();
    std::string out;
    for (const std::string& line : reader.read(client->take())) out += line + "\n";
    return out;
  }
  DataPath& path;
  TestClient* client;
  h2::Deflater deflater;
  h2::FrameReader reader;
};

TEST_CASE("how a host of HTTP/2 ends a stream decides about flag, details and text") {
  H2Path t;
  H2Host host = t.h2host();
  TestClient& client = t.connect();
  client.send(request("POST", "/", "content-length: 1\r\n", "x"));
  host.seen();
  host.send(h2::settings());
  std::string reason, log = "/ 503 upstream_reset_before_response_started{";
  SECTION("by RST_STREAM") {
    host.send(h2::rst(1, h2::kInternal));
    reason = "remote reset";
    log += "remote_reset} UR";
  }
  SECTION("by REFUSED_STREAM") {
    host.send(h2::rst(1, h2::kRefusedStream));
    reason = "remote refused stream reset";
    log += "remote_refused_stream_reset} UR";
  }
  SECTION("by breaking a rule of messages") {
    host.send(host.head(1, {{"no", "status"}}, true));
    reason = "protocol error";
    log = "/ 502 upstream_reset_before_response_started{protocol_error} UPE";
  }
  SECTION("by its connection") {
    host.peer().close();
    reason = "connection termination";
    log += "connection_termination} UC";
  }
  t.loop.turn();
  CHECK(client.take().ends_with("upstream connect error or disconnect/reset before headers. reset reason: " + reason));
  REQUIRE(t.log.size() == 1);
  CHECK(t.log[0] == log);
}

TEST_CASE("RST_STREAM of a host behind its head is told as its reset") {
  H2Path t;
  H2Host host = t.h2host();
  H2Client client(t);
  client.get(1);
  host.seen();
  host.send(h2::settings() + host.head(1, {{":status", "200"}}) + h2::rst(1, h2::kProtocol));
  CHECK(contains(client.seen(), "RST_STREAM 1 2"));  // never the host's own code
  REQUIRE(t.log.size() == 1);
  CHECK(t.log[0] == "/ 200 upstream_reset_after_response_started{remote_reset} UR");
}

TEST_CASE("a request of HTTP/1 goes on by HTTP/2 and its response comes back") {
  H2Path t;
  H2Host host = t.h2host();
  TestClient& client = t.connect();
  client.send(request("POST", "/a?b", "content-length: 3\r\nconnection: keep-alive\r\nte: trailers\r\n", "abc"));
  const std::string seen = host.seen();
  CHECK(contains(seen, "HEADERS 1 :method=POST :scheme=http :path=/a?b :authority=x"));
  CHECK(contains(seen, "DATA 1 ES abc"));
  CHECK_FALSE(contains(seen, "connection="));
  host.send(h2::settings() + host.head(1, {{":status", "103"}, {"link", "l"}}) +
            host.head(1, {{":status", "200"}, {"x-a", "1"}}) + h2::data(1, "hello", true));
  const std::string answer = client.take();
  CHECK(contains(answer, "HTTP/1.1 103 Early Hints\r\nlink: l\r\n"));
  CHECK(contains(answer, "HTTP/1.1 200 OK\r\nx-a: 1\r\n"));
  CHECK(contains(answer, "5\r\nhello\r\n0\r\n\r\n"));
  CHECK(t.log.at(0) == "/a?b 200 via_upstream -");
}

TEST_CASE("trailers go from HTTP/1 to HTTP/2 and back") {
  H2Path t;
  t.settings->codec_limits.enable_trailers = true;
  H2Host host = t.h2host();
  TestClient& client = t.connect();
  client.send(request("POST", "/", "transfer-encoding: chunked\r\n", "3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n"));
  const std::string seen = host.seen();
  CHECK(contains(seen, "DATA 1 abc"));
  CHECK(contains(seen, "HEADERS 1 ES x-t=1"));
  host.send(h2::settings() + host.head(1, {{":status", "200"}}) + h2::data(1, "ok") +
            host.head(1, {{"x-u", "2"}}, true));
  CHECK(contains(client.take(), "2\r\nok\r\n0\r\nx-u: 2\r\n\r\n"));
}

TEST_CASE("HEAD of HTTP/1 by HTTP/2 has a length and no body") {
  H2Path t;
  H2Host host = t.h2host();
  TestClient& client = t.connect();
  client.send(request("HEAD", "/"));
  CHECK(contains(host.seen(), ":method=HEAD"));
  host.send(h2::settings() + host.head(1, {{":status", "200"}, {"content-length", "9"}}, true));
  const std::string answer = client.take();
  CHECK(contains(answer, "content-length: 9\r\n"));
  CHECK(bodyOf(answer).empty());
}

TEST_CASE("streams of a client of HTTP/2 share a connection of HTTP/2 to the host") {
  H2Path t;
  H2Host host = t.h2host();
  H2Client client(t);
  client.get(1);
  client.get(3);
  const std::string seen = host.seen();
  CHECK(contains(seen, "HEADERS 1 ES :method=GET"));
  CHECK(contains(seen, "HEADERS 3 ES :method=GET"));
  host.send(h2::settings() + host.ok(3) + host.head(1, {{":status", "200"}}) + h2::data(1, "ok") +
            host.head(1, {{"grpc-status", "0"}}, true));
  const std::string answer = client.seen();
  CHECK(contains(answer, "HEADERS 3 :status=200"));
  CHECK(contains(answer, "DATA 3 ES ok"));
  CHECK(contains(answer, "DATA 1 ok"));
  CHECK(contains(answer, "HEADERS 1 ES grpc-status=0"));
}

TEST_CASE("a request of HTTP/2 goes on by HTTP/1") {
  H2Path t(UpstreamProtocol::kHttp1);
  H2Client client(t);
  client.get(1, "HEAD");
  CHECK(contains(t.seen(), "HEAD / HTTP/1.1\r\nhost: x\r\n"));
  t.answer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\n");
  const std::string answer = client.seen();
  CHECK(contains(answer, "HEADERS 1 ES :status=200 content-length=2"));
  CHECK_FALSE(contains(answer, "connection="));
}

TEST_CASE("the protocol of the client decides where the cluster says so") {
  H2Path t(UpstreamProtocol::kDownstream);
  TestClient& old = t.connect();
  old.send(get());
  CHECK(contains(t.seen(), "GET / HTTP/1.1\r\n"));
  t.answer();
  CHECK(bodyOf(old.take()) == "ok");
  H2Client client(t);
  client.get(1);
  CHECK(contains(t.h2host(1).seen(), "HEADERS 1 ES :method=GET"));
}

TEST_CASE("a request that the host did not look at is put on another connection, its body too") {
  H2Path t;
  H2Host host = t.h2host();
  TestClient& client = t.connect();
  client.send(post("abc"));
  CHECK(contains(host.seen(), "DATA 1 ES abc"));
  host.send(h2::settings() + h2::goaway(0, 0));
  H2Host second = t.h2host(1);
  const std::string seen = second.seen();
  CHECK(contains(seen, "HEADERS 1 :method=POST"));
  CHECK(contains(seen, "DATA 1 ES abc"));
  second.send(h2::settings() + second.ok(1));
  CHECK(contains(client.take(), "HTTP/1.1 200 OK"));
  CHECK(t.stat("rq_retry") == 1);
}

TEST_CASE("a request that every connection refuses fails in the end, as one whose body is gone") {
  H2Path t;
  TestClient& client = t.connect();
  const std::string body(GENERATE(3, 20000), 'x');
  client.send(request("PUT", "/", "content-length: " + std::to_string(body.size()) + "\r\n", body));
  H2Host host = t.h2host();
  host.seen();
  host.send(h2::settings());
  for (uint32_t stream = 1; stream < 9; stream += 2) {
    host.seen();
    host.send(h2::rst(stream, h2::kRefusedStream));
  }
  CHECK(client.take().starts_with("HTTP/1.1 503 "));
}

TEST_CASE("what a host refuses is sent again only where to ask twice does no harm") {
  H2Path t;
  const std::string method = GENERATE("POST", "PATCH", "PUT", "GET");
  H2Host host = t.h2host();
  TestClient& client = t.connect();
  client.send(request(method, "/", "content-length: 3\r\n", "abc"));
  CHECK(contains(host.seen(), "HEADERS 1 :method=" + method));
  host.send(h2::settings() + h2::rst(1, h2::kRefusedStream));
  const bool again = method == "PUT" || method == "GET";
  CHECK(contains(host.seen(), "HEADERS 3 ") == again);
  CHECK(t.stat("rq_retry") == (again ? 1 : 0));
  if (again) host.send(host.ok(3));
  CHECK(client.take().starts_with(again ? "HTTP/1.1 200 " : "HTTP/1.1 503 "));
}

TEST_CASE("a response of HTTP/2 that is reset cuts the client's connection") {
  H2Path t;
  H2Host host = t.h2host();
  TestClient& client = t.connect();
  client.send(get());
  host.seen();
  host.send(h2::settings() + host.head(1, {{":status", "200"}}) + h2::data(1, "some") + h2::rst(1, h2::kInternal));
  CHECK_FALSE(contains(client.take(), "0\r\n\r\n"));
  CHECK((client.ended || client.broken));
}

// --- gRPC calls of filters ---

std::string message(std::string_view bytes) {
  std::string out(1, '\0');
  return out.append(h2::number(bytes.size(), 4)).append(bytes);
}

struct GrpcTest : H2Path, filter::GrpcEvents {
  explicit GrpcTest(UpstreamProtocol protocol = UpstreamProtocol::kHttp2) : H2Path(protocol) {
    request.cluster = "c";
    request.path = "/s/M";
    request.metadata = {{"x-a", "1"}};
  }
  ~GrpcTest() { call.reset(); }
  void open() { call = calls.openGrpc(request, *this); }
  void onGrpcMessage(std::string_view message) override {
    heard += "[" + std::string(message) + "]";
    if (drop_at_message) call.reset();
  }
  void onGrpcEnd(int status, std::string_view text) override {
    heard += std::to_string(status) + " " + std::string(text);
  }
  void begin(H2Host& host) {
    open();
    call->sendMessage("hi", true);
    host.seen();
    host.send(h2::settings());
  }
  std::string answerHead(H2Host& host) {
    return host.head(1, {{":status", "200"}, {"content-type", "application/grpc+proto"}});
  }
  filter::GrpcCallRequest request;
  std::unique_ptr<filter::GrpcCall> call;
  std::string heard;
  bool drop_at_message = false;
};

TEST_CASE("a gRPC call goes out framed and its answer comes as messages and a status") {
  GrpcTest t;
  t.request.timeout = 1500ms;
  H2Host host = t.h2host();
  t.open();
  t.call->sendMessage("hi", false);
  t.call->sendMessage("ho", true);
  const std::string seen = host.seen();
  CHECK(contains(seen, "HEADERS 1 :method=POST :scheme=http :path=/s/M :authority=c"));
  CHECK(contains(seen, "content-type=application/grpc"));
  CHECK(contains(seen, "grpc-timeout=1500m"));
  CHECK(contains(seen, "x-a=1"));
  CHECK(contains(seen, "te=trailers"));
  CHECK(contains(seen, message("hi") + message("ho")));
  const std::string body = message("one") + message("") + message("three");
  host.send(h2::settings() + t.answerHead(host));
  const size_t cut = GENERATE(0, 1, 4, 5, 6, 8, 9, 13, 20);
  host.send(h2::data(1, body.substr(0, cut)));
  host.send(h2::data(1, body.substr(cut)));
  CHECK(t.heard == "[one][][three]");
  host.send(host.head(1, {{"grpc-status", "5"}, {"grpc-message", "not%20there%"}}, true));
  CHECK(t.heard == "[one][][three]5 not there%");
}

TEST_CASE("a gRPC call in both directions goes on as long as it likes") {
  GrpcTest t;
  H2Host host = t.h2host();
  t.open();
  t.call->sendMessage("a", false);
  CHECK(contains(host.seen(), message("a")));
  host.send(h2::settings() + t.answerHead(host) + h2::data(1, message("b")));
  t.call->sendMessage("c", false);
  CHECK(contains(host.seen(), message("c")));
  t.call->sendEnd();
  CHECK(contains(host.seen(), "DATA 1 ES"));
  host.send(h2::data(1, message("d")) + host.head(1, {{"grpc-status", "0"}}, true));
  CHECK(t.heard == "[b][d]0 ");
}

TEST_CASE("a gRPC call tells how it ended") {
  GrpcTest t;
  H2Host host = t.h2host();
  std::string expected;
  SECTION("trailers only") {
    t.begin(host);
    host.send(host.head(1, {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "7"}}, true));
    expected = "7 ";
  }
  SECTION("another HTTP status") {
    t.begin(host);
    host.send(host.head(1, {{":status", "503"}}) + h2::data(1, "no", true));
    expected = "14 HTTP status 503";
  }
  SECTION("no gRPC") {
    t.begin(host);
    host.send(host.head(1, {{":status", "200"}, {"content-type", "text/html"}}) + h2::data(1, "no", true));
    expected = "13 the answer is not gRPC";
  }
  SECTION("no status") {
    t.begin(host);
    host.send(t.answerHead(host) + h2::data(1, message("x"), true));
    expected = "[x]13 the answer ended without a grpc-status";
  }
  SECTION("compressed") {
    t.begin(host);
    host.send(t.answerHead(host) + h2::data(1, std::string("\1\0\0\0\1x", 6)));
    expected = "13 compressed messages are not supported";
  }
  SECTION("too large") {
    t.request.max_message = 3;
    t.begin(host);
    host.send(t.answerHead(host) + h2::data(1, message("four")));
    expected = "8 a message of 4 bytes is too large";
  }
  SECTION("cut short") {
    t.begin(host);
    host.send(t.answerHead(host) + h2::data(1, message("four").substr(0, 6)) +
              host.head(1, {{"grpc-status", "0"}}, true));
    expected = "13 the last message was cut short";
  }
  SECTION("reset") {
    t.begin(host);
    host.send(h2::rst(1, h2::kInternal));
    expected = "13 upstream_stream_reset";
  }
  SECTION("connection lost") {
    t.begin(host);
    host.send(t.answerHead(host));
    host.seen();
    host.peer().close();
    expected = "14 http2.connection_ended";
  }
  SECTION("timeout") {
    t.request.timeout = 2s;
    t.begin(host);
    t.loop.pass(2s);
    expected = "4 timeout";
  }
  SECTION("no cluster") {
    t.request.cluster = "nowhere";
    t.open();
    expected = "14 no_cluster";
    CHECK(t.heard.empty());
  }
  SECTION("no host") {
    t.hosts({});
    t.open();
    expected = "14 no_healthy_upstream";
  }
  t.loop.turn();
  CHECK(t.heard == expected);
}

TEST_CASE("a cluster of HTTP/1 takes no gRPC calls") {
  GrpcTest t(UpstreamProtocol::kHttp1);
  t.open();
  t.seen();
  CHECK(t.heard == "14 cluster_speaks_no_http2");
}

TEST_CASE("a gRPC call that is dropped says so to the server and is never answered") {
  GrpcTest t;
  H2Host host = t.h2host();
  SECTION("at once") {
    t.open();
    t.call.reset();
  }
  SECTION("while it runs") {
    t.begin(host);
    t.call.reset();
    CHECK(contains(host.seen(), "RST_STREAM 1 8"));
  }
  SECTION("inside its message") {
    t.begin(host);
    t.drop_at_message = true;
    host.send(t.answerHead(host) + h2::data(1, message("a") + message("b")));
    CHECK(t.heard == "[a]");
    t.heard.clear();
    CHECK(contains(host.seen(), "RST_STREAM 1 8"));
  }
  t.loop.turn();
  CHECK(t.heard.empty());
}

TEST_CASE("a gRPC call that the server did not look at is put on another connection") {
  GrpcTest t;
  H2Host host = t.h2host();
  t.begin(host);
  host.send(h2::goaway(0, 0));
  H2Host second = t.h2host(1);
  CHECK(contains(second.seen(), message("hi")));
  second.send(h2::settings() + second.head(1, {{":status", "200"}, {"content-type", "application/grpc"}}) +
              h2::data(1, message("x")) + second.head(1, {{"grpc-status", "0"}}, true));
  CHECK(t.heard == "[x]0 ");
}

TEST_CASE("a gRPC call that the server may have looked at is not made again") {
  GrpcTest t;
  H2Host host = t.h2host();
  SECTION("refused") {
    t.begin(host);
    host.send(h2::rst(1, h2::kRefusedStream));
  }
  SECTION("on a connection that had served and died") {
    TestClient& client = t.connect();
    client.send(get());
    host.seen();
    host.send(h2::settings() + host.ok(1));
    CHECK(contains(client.take(), "200 OK"));
    t.open();
    t.call->sendMessage("hi", true);
    CHECK(contains(host.seen(), "HEADERS 3 :method=POST"));
    host.peer().close();
    t.loop.turn();
  }
  CHECK(t.host.accept() == 1);
  CHECK(t.heard.starts_with("14 "));
}

}  // namespace
}  // namespace sluice::server
