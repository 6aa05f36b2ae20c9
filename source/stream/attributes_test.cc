#include "source/stream/attributes.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>
#include <string_view>

#include "source/base/arena.h"
#include "source/base/text.h"
#include "source/match/cel/test_source.h"
#include "source/stream/formatter.h"

namespace sluice::stream {
namespace {

using namespace std::chrono_literals;
namespace cel = match::cel;

class FakeTls : public net::Transport {
 public:
  FakeTls() {
    info_.version = "TLSv1.3";
    info_.peer_presented = true;
    info_.peer.subject = "CN=ann";
    info_.peer.sha256 = "ab12";
    info_.peer.uri_sans = {"spiffe://a", "spiffe://b"};
  }
  Status handshake(const Io&) override { return Status::kDone; }
  Result read(const Io&, char*, size_t) override { return {Status::kEnd}; }
  Result write(const Io&, const iovec*, int) override { return {Status::kDone}; }
  void sendEnd(const Io&) override {}
  const net::TlsInfo* tlsInfo() override { return &info_; }

 private:
  net::TlsInfo info_;
};

const ListenerMetadata& ofListener() {
  static const ListenerMetadata metadata{FixedMetadata({{"l", {MetadataFields{{"owner", {std::string("net")}}}}}}, "1"),
                                         {}};
  return metadata;
}

// A finished exchange.
struct Exchange {
  Exchange() {
    request.method = "POST";
    request.path = "/shop/cart?id=7&x=1";
    request.authority = "a.test:8080";
    request.scheme = "https";
    request.add("user-agent", "curl/8");
    request.add("referer", "https://b.test/");
    request.add("x-tag", "one");
    request.add("x-tag", "two");
    request.add("cookie", "a=1");
    request.add("cookie", "b=2");
    request.add("content-length", "12");
    response.status = 200;
    response.add("content-type", "text/plain");
    trailers.add("grpc-status", "5");
    info.start_time = StreamInfo::SystemTime(1'700'000'000'500'000'000ns);
    info.has_protocol = true;
    info.request_id = "id-1";
    info.response_code = 200;
    info.response_code_details = "via_upstream";
    info.response_flags.set(ResponseFlag::kUpstreamRequestTimeout);
    info.bytes_received = 12;
    info.request_header_bytes = 100;
    info.bytes_sent = 5;
    info.response_header_bytes = 50;
    info.response_trailer_bytes = 20;
    info.upstream_request_start = 1ms;
    info.upstream_response_end = 5ms;
    info.response_end = 6'700us;
    info.downstream_remote_address = "[2001:db8::1]:5000";
    info.downstream_local_address = "/run/a:b.sock";
    info.connection_id = 3;
    info.upstream_host = "10.0.0.1:8080";
    info.upstream_cluster = "app";
    info.attempt_count = 2;
    info.route_name = "shop";
    info.virtual_host_name = "all";
    info.route_metadata = &route_metadata;
    info.virtual_host_metadata = &host_metadata;
    info.filter_chain_name = "tls";
    info.listener_metadata = &ofListener();
    info.setUpstreamMetadata(FixedMetadata({{"c", {MetadataFields{{"tier", {2.0}}}}}}, "1"), {});
    info.metadata().set("f", "user", {std::string("ann")});
    info.metadata().set("f", "roles", {MetadataList{{std::string("a")}, {std::string("b")}}});
    info.filterState().set("s", "state");
    info.downstream_transport = &tls;
  }

  FormatContext context() const { return {&request, &response, &trailers, info}; }

  // The value as a literal of the language.
  std::string value(std::string_view expression) const {
    const auto program = cel::Program::compile(expression, attributeNames());
    if (!program.ok()) return "refused: " + std::string(base::toStd(program.status().message()));
    cel::Memory memory(1 << 20, 100'000);
    const FormatContext all = context();
    return cel::show((*program)->evaluate(Attributes(all), memory), memory);
  }

  std::string text(std::string_view format) const {
    const absl::StatusOr<TextFormatter> formatter = TextFormatter::compile(format);
    if (!formatter.ok()) return base::strCat("ERROR ", base::toStd(formatter.status().message()));
    std::string out;
    formatter->format(context(), out);
    return out;
  }

  std::string json(std::string_view leaf) const {
    const absl::StatusOr<JsonFormatter> formatter = JsonFormatter::compile({{"k", {std::string(leaf)}}});
    if (!formatter.ok()) return base::strCat("ERROR ", base::toStd(formatter.status().message()));
    std::string out;
    formatter->format(context(), out);
    return out;
  }

  base::Arena arena;
  http::RequestHeaders request{arena};
  http::ResponseHeaders response{arena};
  http::Trailers trailers{arena};
  MetadataFields route_metadata = {{"r", {MetadataFields{{"team", {std::string("web")}}}}}};
  MetadataFields host_metadata = {{"r", {MetadataFields{{"zone", {std::string("b")}}}}}};
  FakeTls tls;
  StreamInfo info;
};

TEST_CASE("attributes have the names and the types of Envoy's", "[attributes]") {
  struct Case {
    std::string_view expression, value;
  };
  const Case cases[] = {
      {"request.path", "'/shop/cart?id=7&x=1'"},
      {"request.url_path", "'/shop/cart'"},
      {"request.query", "'id=7&x=1'"},
      {"request.host", "'a.test:8080'"},
      {"request.scheme", "'https'"},
      {"request.method", "'POST'"},
      {"request.referer", "'https://b.test/'"},
      {"request.useragent", "'curl/8'"},
      {"request.time", "2023-11-14T22:13:20.5Z"},
      {"request.id", "'id-1'"},
      {"request.protocol", "'HTTP/1.1'"},
      {"request.duration", "0.0067s"},
      {"request.size", "12"},
      {"request.total_size", "112"},
      {"request.headers_bytes", "100"},
      {"request.headers['X-Tag']", "'one,two'"},
      {"request.headers.cookie", "'a=1; b=2'"},
      {"request.headers[':path'] == request.path && request.headers.host == request.host", "true"},
      {"has(request.headers.nope)", "false"},
      {"request.headers.nope", "error: no such key"},
      {"size(request.headers)", "9"},
      {"request.headers.filter(h, h.startsWith('x-'))", "['x-tag']"},
      {"response.code", "200"},
      {"response.code_details", "'via_upstream'"},
      {"response.flags", "4"},
      {"response.grpc_status", "5"},
      {"response.headers['content-type']", "'text/plain'"},
      {"response.trailers['grpc-status']", "'5'"},
      {"response.size", "5"},
      {"response.total_size", "75"},
      {"response.backend_latency", "0.004s"},
      {"source.address", "'[2001:db8::1]:5000'"},
      {"source.port", "5000"},
      {"destination.address", "'/run/a:b.sock'"},
      {"has(destination.port)", "false"},
      {"connection.id", "3u"},
      {"connection.mtls", "true"},
      {"connection.requested_server_name", "''"},
      {"connection.tls_version", "'TLSv1.3'"},
      {"connection.subject_peer_certificate", "'CN=ann'"},
      {"connection.subject_local_certificate", "''"},
      {"connection.uri_san_peer_certificate", "'spiffe://a'"},
      {"has(connection.dns_san_peer_certificate)", "false"},
      {"connection.sha256_peer_certificate_digest", "'ab12'"},
      {"upstream.address", "'10.0.0.1:8080'"},
      {"upstream.port", "8080"},
      {"has(upstream.tls_version)", "false"},
      {"upstream.request_attempt_count", "2u"},
      {"metadata.filter_metadata.f.user", "'ann'"},
      {"metadata.filter_metadata['f']['roles'].exists(r, r == 'b')", "true"},
      {"has(metadata.filter_metadata.g)", "false"},
      {"filter_state", "{'s': b'state'}"},
      {"filter_state['s'] == b'state'", "true"},
      {"xds.cluster_name", "'app'"},
      {"xds.cluster_metadata.filter_metadata.c.tier == 2", "true"},
      {"has(xds.upstream_host_metadata)", "false"},
      {"xds.route_name + '/' + xds.virtual_host_name", "'shop/all'"},
      {"xds.route_metadata.filter_metadata.r.team", "'web'"},
      {"xds.virtual_host_metadata.filter_metadata.r.zone", "'b'"},
      {"xds.filter_chain_name", "'tls'"},
      {"xds.listener_metadata.filter_metadata.l.owner", "'net'"},
      {"has(connection.termination_details)", "false"},
  };
  const Exchange exchange;
  for (const auto& [expression, value] : cases) {
    INFO(expression);
    CHECK(exchange.value(expression) == value);
  }
}

TEST_CASE("without a request or TLS their attributes are absent", "[attributes]") {
  StreamInfo info;
  const FormatContext context{.info = info};
  const auto holds = [&context](std::string_view expression) {
    return (*cel::Program::compile(expression, attributeNames()))->holds(Attributes(context));
  };

  CHECK(holds("!has(request.path) && !has(request.headers) && !has(response.code) && !has(response.headers)"));
  CHECK(holds("!has(connection.tls_version) && !connection.mtls && !has(source.port) && !has(xds.route_name)"));
  CHECK(holds("metadata.filter_metadata == {} && filter_state == {}"));
  CHECK_FALSE(holds("request.path == ''"));
}

TEST_CASE("a small condition needs nothing from the heap", "[attributes]") {
  const Exchange exchange;
  const FormatContext context = exchange.context();
  const auto program = cel::Program::compile(
      "request.path.startsWith('/shop') && request.headers['x-tag'] == 'one,two' && metadata.filter_metadata.f.roles"
      ".exists(r, r == 'b') && source.port in [80, 5000] && request.duration < duration('1s')",
      attributeNames());
  REQUIRE(program.ok());

  CHECK((*program)->holds(Attributes(context), {.bytes = 0, .steps = 1000}));
}

TEST_CASE("a field that nothing may be spent to look for is neither there nor missing", "[attributes]") {
  const Exchange exchange;
  const FormatContext context = exchange.context();
  const auto holds = [&context](std::string_view expression, size_t steps) {
    return (*cel::Program::compile(expression, attributeNames()))->holds(Attributes(context), {.steps = steps});
  };

  CHECK(holds("!has(request.headers.nope)", 10));
  for (size_t steps = 0; steps < 10; ++steps) CHECK_FALSE(holds("has(request.headers.nope)", steps));
}

TEST_CASE("%CEL% is text, %TYPED_CEL% keeps types in JSON", "[attributes]") {
  const Exchange exchange;

  CHECK(exchange.text("%CEL(request.path):5%|%CEL(response.code + 1)%|%CEL(request.duration)%") == "/shop|201|0.0067s");
  CHECK(exchange.text("%CEL(request.headers.nope)%|%CEL(1 / 0)%|%CEL(null)%") == "-|-|-");
  CHECK(exchange.text("%CEL('a' + 'b')%|%CEL(request.path.startsWith('/shop'))%") == "ab|true");
  CHECK(exchange.text("%CEL(metadata.filter_metadata.f)%") ==
        "{\\\"user\\\":\\\"ann\\\",\\\"roles\\\":[\\\"a\\\",\\\"b\\\"]}");
  CHECK(exchange.json("%CEL(response.code)%") == "{\"k\":\"200\"}\n");
  CHECK(exchange.json("%TYPED_CEL(response.code - 201)%") == "{\"k\":-1}\n");
  CHECK(exchange.json("%TYPED_CEL(request.path.contains('cart'))%") == "{\"k\":true}\n");
  CHECK(exchange.json("%TYPED_CEL('a\"' + 'b')%") == "{\"k\":\"a\\\"b\"}\n");
  CHECK(exchange.json("%TYPED_CEL([1.5, 'x', {'a': null}])%") == "{\"k\":[1.5,\"x\",{\"a\":null}]}\n");
  CHECK(exchange.json("%TYPED_CEL(request.headers.nope)%") == "{\"k\":null}\n");
  CHECK(exchange.json("%TYPED_CEL(1.0 / 0.0)%") == "{\"k\":\"inf\"}\n");
  CHECK(exchange.json(R"(%COALESCE({"operators": [{"command": "TYPED_CEL", "param": "[1, 2]", "max_length": 2}]})%)") ==
        "{\"k\":[1,2]}\n");
  CHECK(exchange.json("a=%TYPED_CEL(['x'])%") == "{\"k\":\"a=[\\\"x\\\"]\"}\n");
}

TEST_CASE("a text that is put together is whole, however long it is", "[attributes]") {
  Exchange exchange;
  const std::string name(3000, 'a');
  exchange.request.add("long", name);

  CHECK(exchange.text("%CEL(request.headers.long + 'b')%") == name + "b");
  CHECK(exchange.json("%TYPED_CEL([request.headers.long])%") == "{\"k\":[\"" + name + "\"]}\n");
}

TEST_CASE("a list that names a long text many times is not written", "[attributes]") {
  Exchange exchange;
  exchange.request.add("long", std::string(30'000, 'a'));

  CHECK(exchange.json("%TYPED_CEL(request.headers.map(a, request.headers.map(b, request.headers.long)))%") ==
        "{\"k\":null}\n");
}

// Some logs of a long stream are written many times.
TEST_CASE("what is put together for a log is not kept with the request", "[attributes]") {
  Exchange exchange;
  exchange.request.add("long", std::string(3000, 'a'));
  const size_t before = exchange.arena.heldBytes();

  for (int i = 0; i < 1000; ++i) exchange.text("%CEL(request.headers.long + 'b')% %CEL([request.headers.long])%");

  CHECK(exchange.arena.heldBytes() == before);
}

TEST_CASE("a long list is whole where there is no request", "[attributes]") {
  StreamInfo info;
  const std::string name(3000, 'a');
  info.route_name = name;
  const auto formatter = JsonFormatter::compile({{"k", {std::string("%TYPED_CEL([xds.route_name])%")}}});
  REQUIRE(formatter.ok());
  std::string out;

  formatter->format({.info = info}, out);

  CHECK(out == "{\"k\":[\"" + name + "\"]}\n");
}

TEST_CASE("a wrong expression is refused with its place", "[attributes]") {
  const Exchange exchange;

  CHECK(exchange.text("%CEL(request.nope)%").find("%CEL(request.nope)%: 1:9: 'request.nope' is unknown") !=
        std::string::npos);
  CHECK(exchange.text("%CEL()%").find("write %CEL(EXPRESSION)%") != std::string::npos);
  CHECK(exchange.text("%TYPED_CEL(xds.node)%").find("'xds.node' is not supported here") != std::string::npos);
}

}  // namespace
}  // namespace sluice::stream
