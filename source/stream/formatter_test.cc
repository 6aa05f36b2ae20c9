#include "source/stream/formatter.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "source/base/arena.h"
#include "source/base/text.h"

namespace sluice::stream {
namespace {

using namespace std::chrono_literals;

// A finished exchange to format.
struct Exchange {
  Exchange() {
    request.method = "GET";
    request.path = "/a?b=c";
    request.authority = "example.com";
    request.scheme = "http";
    request.add("user-agent", "curl/8");
    request.add("x-request-id", "id-1");
    response.status = 200;
    response.add("x-envoy-upstream-service-time", "3");
    info.start_time = StreamInfo::SystemTime(1'700'000'000'123'456'789ns);
    info.has_protocol = true;
    info.response_code = 200;
    info.bytes_sent = 12;
    info.request_end = 1ms;
    info.response_start = 4ms;
    info.response_end = 6'700us;
    info.upstream_host = "10.0.0.1:8080";
    info.downstream_remote_address = "[2001:db8::1]:5000";
    info.downstream_local_address = "/run/a:b.sock";
  }

  FormatContext context() const { return {&request, &response, &trailers, info}; }

  std::string text(std::string_view format, TextFormatter::Options options = {}) const {
    const absl::StatusOr<TextFormatter> formatter = TextFormatter::compile(format, options);
    if (!formatter.ok()) return base::strCat("ERROR ", base::toStd(formatter.status().message()));
    std::string out;
    formatter->format(context(), out);
    return out;
  }

  std::string json(const MetadataFields& object, JsonFormatter::Options options = {}) const {
    const absl::StatusOr<JsonFormatter> formatter = JsonFormatter::compile(object, options);
    if (!formatter.ok()) return base::strCat("ERROR ", base::toStd(formatter.status().message()));
    std::string out;
    formatter->format(context(), out);
    return out;
  }

  base::Arena arena;
  http::RequestHeaders request{arena};
  http::ResponseHeaders response{arena};
  http::Trailers trailers{arena};
  StreamInfo info;
};

MetadataValue leaf(std::string_view text) {
  return {std::string(text)};
}

TEST_CASE("the default format is Envoy's line") {
  Exchange exchange;

  CHECK(exchange.text(kDefaultAccessLogFormat) ==
        "[2023-11-14T22:13:20.123Z] \"GET /a?b=c HTTP/1.1\" 200 - 0 12 6 3 \"-\" \"curl/8\" \"id-1\" \"example.com\" "
        "\"10.0.0.1:8080\"\n");
}

TEST_CASE("headers are found by either name, cut to length, and case does not matter") {
  Exchange exchange;
  exchange.trailers.add("grpc-status", "5");
  exchange.request.add("custom", "value");

  CHECK(exchange.text("%REQ(X-MISSING?:PATH)%") == "/a?b=c");
  CHECK(exchange.text("%REQ(X-MISSING?USER-AGENT):4%") == "curl");
  CHECK(exchange.text("%REQ(x-missing)%") == "-");
  CHECK(exchange.text("%REQ(Custom)%") == "value");
  CHECK(exchange.text("%REQ(Host)% %REQ(:authority)%") == "example.com example.com");
  CHECK(exchange.text("%RESP(:STATUS)% %RESP(X-Envoy-Upstream-Service-Time)%") == "200 3");
  CHECK(exchange.text("%TRAILER(grpc-status)% %GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS_NUMBER%") ==
        "5 NotFound NOT_FOUND 5");
  CHECK(exchange.text("%REQ_WITHOUT_QUERY(X-ENVOY-ORIGINAL-PATH?:PATH)%") == "/a");
  CHECK(exchange.text("%PATH% %PATH(NQ)% %PATH(NQ:PATH):1% %PATH(WQ:ORIG)%") == "/a?b=c /a / -");
}

TEST_CASE("the gRPC status is that of the trailers, the head, a filter or the HTTP status") {
  Exchange exchange;
  const std::string format = "%GRPC_STATUS% %GRPC_STATUS_NUMBER%";
  CHECK(exchange.text(format) == "- -");
  exchange.request.add("content-type", "application/grpc");
  exchange.info.response_code = 503;
  CHECK(exchange.text(format) == "Unavailable 14");
  exchange.info.grpc_status = 5;
  CHECK(exchange.text(format) == "NotFound 5");
  exchange.response.add("grpc-status", "7");
  CHECK(exchange.text(format) == "PermissionDenied 7");
  exchange.trailers.add("grpc-status", "0");
  CHECK(exchange.text(format) == "OK 0");
}

TEST_CASE("durations are milliseconds and missing until they have happened") {
  Exchange exchange;

  CHECK(exchange.text("%REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION% %DURATION%") == "1 4 2 6");
  CHECK(exchange.text("%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)% %COMMON_DURATION(US_RX_BEG:DS_TX_END:ns)%") ==
        "6700 2700000");
  exchange.info.response_start = StreamInfo::kNotYet;
  CHECK(exchange.text("%RESPONSE_DURATION% %RESPONSE_TX_DURATION% %REQUEST_TX_DURATION%") == "- - -");
}

TEST_CASE("the start time takes any format with fractions of the second") {
  Exchange exchange;

  CHECK(exchange.text("%START_TIME(%Y/%m/%dT%H:%M:%S%z %s)%") == "2023/11/14T22:13:20+0000 1700000000");
  CHECK(exchange.text("%START_TIME(%s.%3f %6f %f %1f)%") == "1700000000.123 123456 123456789 1");
  CHECK(exchange.text("%START_TIME((%F) %T %a %A %b %B %e %j %y %p %I %u %D %R %Z %%)%") ==
        "(2023-11-14) 22:13:20 Tue Tuesday Nov November 14 318 23 PM 10 2 11/14/23 22:13 UTC %");
  CHECK(exchange.text("%START_TIME(%E3S)%") == "20.123");
  CHECK(exchange.text("%START_TIME(%Q)%").find("'%Q' at offset 0 is no conversion") != std::string::npos);
  exchange.info.start_time = StreamInfo::SystemTime(-1ns);
  CHECK(exchange.text("%START_TIME%") == "1969-12-31T23:59:59.999Z");
  exchange.info.start_time = StreamInfo::SystemTime(951'782'400s);
  CHECK(exchange.text("%START_TIME(%F %j)%") == "2000-02-29 060");
}

TEST_CASE("addresses are given whole, without port, and as port") {
  Exchange exchange;

  CHECK(
      exchange.text("%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT%") ==
      "[2001:db8::1]:5000 2001:db8::1 5000");
  CHECK(exchange.text("%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT%") == "/run/a:b.sock -");
  CHECK(exchange.text("%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%:%UPSTREAM_REMOTE_PORT%") == "10.0.0.1:8080");
  exchange.info.upstream_host = "envoy://inner/one";
  CHECK(exchange.text("%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT%") == "envoy://inner/one -");
}

TEST_CASE("addresses may be cut to a network, by the family's own length") {
  Exchange exchange;
  CHECK(exchange.text("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(32)% %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(8)%") ==
        "2001:db8::/32 10.0.0.0/8");
  CHECK(exchange.text("%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(33)% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(8)%") ==
        "- -");
  for (const std::string arguments : {"129", "-1", "a", ""}) {
    CHECK_THAT(exchange.text("%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(" + arguments + ")%"),
               Catch::Contains("how many bits of the address are kept"));
  }
}

TEST_CASE("parameters of the query are decoded, the query itself if that is wanted") {
  Exchange exchange;
  exchange.request.path = "/p?a=1&b%5B=x%20y%0a&a=2&flag&=none&half=%2";
  CHECK(exchange.text("%QUERY_PARAM(a)% %QUERY_PARAM(b[)% %QUERY_PARAM(b[):2% %QUERY_PARAM(half)%") ==
        "1 x y\\n x  %2");
  CHECK(exchange.text("%QUERY_PARAM(flag)%|%QUERY_PARAM(missing)%") == "|-");
  CHECK(exchange.text("%QUERY_PARAMS%") == "a=1&b%5B=x%20y%0a&a=2&flag&=none&half=%2");
  CHECK(exchange.text("%QUERY_PARAMS(DECODED):12%") == "a=1&b[=x y\\n&");
  exchange.request.path = "/p";
  CHECK(exchange.text("%QUERY_PARAMS% %QUERY_PARAMS(DECODED)% %QUERY_PARAM(a)%") == "- - -");
  CHECK_THAT(exchange.text("%QUERY_PARAMS(RAW)%"), Catch::Contains("the argument is ORIG or DECODED"));
  CHECK_THAT(exchange.text("%QUERY_PARAM%"), Catch::Contains("names no parameter"));
}

TEST_CASE("the name that was asked for is that of TLS or that of the request") {
  Exchange exchange;
  const std::string all =
      "%REQUESTED_SERVER_NAME% %REQUESTED_SERVER_NAME(SNI_FIRST)% %REQUESTED_SERVER_NAME(HOST_FIRST)%";
  CHECK(exchange.text(all) == "- example.com example.com");
  exchange.info.requested_server_name = "sni";
  CHECK(exchange.text(all) == "sni sni example.com");
  exchange.request.add("x-envoy-original-host", "before");
  CHECK(exchange.text("%REQUESTED_SERVER_NAME(HOST_FIRST)% %REQUESTED_SERVER_NAME(HOST_FIRST:HOST)%") ==
        "before example.com");
  exchange.request.remove("x-envoy-original-host");
  CHECK(exchange.text("%REQUESTED_SERVER_NAME(HOST_FIRST:ORIG)%") == "sni");
  CHECK_THAT(exchange.text("%REQUESTED_SERVER_NAME(HOST)%"), Catch::Contains("SNI_ONLY, SNI_FIRST or HOST_FIRST"));
}

TEST_CASE("the first of several operators that has a value counts, an empty one too") {
  Exchange exchange;
  exchange.request.add("empty", "");
  const auto coalesced = [&exchange](const std::string& operators, const std::string& tail = "%") {
    return exchange.text("%COALESCE({\"operators\": [" + operators + "]})" + tail);
  };
  CHECK(coalesced(R"("REQUESTED_SERVER_NAME", {"command": "REQ", "param": ":authority"})") == "example.com");
  CHECK(coalesced(R"({"command": "REQ", "param": "none"}, "ROUTE_NAME")") == "-");
  CHECK(coalesced(R"({"command": "REQ", "param": "empty"}, "RESPONSE_CODE")").empty());
  CHECK(coalesced(R"("RESPONSE_CODE")", ":1%") == "200");
  CHECK(coalesced(R"({"command": "REQ", "param": ":authority", "max_length": 7})", ":4%") == "exam");
  CHECK(exchange.json({{"code", leaf(R"(%COALESCE({"operators": ["RESPONSE_CODE"]})%)")}}) == "{\"code\":200}\n");
  const auto [operators, problem] = GENERATE(table<std::string, std::string>({
      {"", "write {\"operators\": ["},
      {"1", "an operator is a name, or an object"},
      {R"({"param": "x"})", "an operator is a name, or an object"},
      {R"({"command": "REQ", "parameter": "x"})", "'parameter' is none of its fields"},
      {R"({"command": "REQ"})", "%REQ%: names no header"},
      {R"("COALESCE")", "stands in itself"},
      {R"("NOPE")", "unknown operator %NOPE%"},
  }));
  CHECK_THAT(coalesced(operators), Catch::Contains(problem));
}

TEST_CASE("where a stream was accepted is told by name") {
  Exchange exchange;
  CHECK(exchange.text("%LISTENER_NAME% %FILTER_CHAIN_NAME%") == "- -");
  exchange.info.listener_name = "edge";
  exchange.info.filter_chain_name = "tls";
  CHECK(exchange.text("%LISTENER_NAME% %FILTER_CHAIN_NAME%") == "edge tls");
}

TEST_CASE("details may keep their spaces") {
  Exchange exchange;
  exchange.info.response_code_details = "a b";
  CHECK(exchange.text("%RESPONSE_CODE_DETAILS% %RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%") == "a_b a b");
}

TEST_CASE("each entry has an id of its own") {
  Exchange exchange;
  const std::string first = exchange.text("%UNIQUE_ID%"), second = exchange.text("%UNIQUE_ID%");
  CHECK_THAT(first, Catch::Matches("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  CHECK(first != second);
}

TEST_CASE("local times are those of the process's time zone") {
  Exchange exchange;
  exchange.info.start_time = StreamInfo::SystemTime(1'700'000'000'123'456'789ns);
  const absl::TimeZone zone = absl::LocalTimeZone();
  const absl::Time time = absl::FromChrono(exchange.info.start_time);
  const auto formatted = [&](const char* format) { return std::string(absl::FormatTime(format, time, zone)); };
  CHECK(exchange.text("%START_TIME_LOCAL%") == formatted("%Y-%m-%dT%H:%M:%E3S%z"));
  CHECK(exchange.text("%START_TIME_LOCAL(%F %T %Z %s)%") == formatted("%F %T %Z %s"));
}

TEST_CASE("the time of an entry is when it is written") {
  Exchange exchange;
  const auto before = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const auto second = std::stoll(exchange.text("%EMIT_TIME(%s)%"));
  CHECK(second >= before.time_since_epoch().count());
  CHECK(exchange.text("%EMIT_TIME_LOCAL(%s)%").size() >= 10);
}

TEST_CASE("the upstream's protocol is known once it was asked") {
  Exchange exchange;
  CHECK(exchange.text("%UPSTREAM_PROTOCOL%") == "-");
  exchange.info.upstream_protocol = http::Protocol::kHttp2;
  CHECK(exchange.text("%UPSTREAM_PROTOCOL%") == "HTTP/2");
}

TEST_CASE("what only HTTP/3 counts is nothing") {
  CHECK(Exchange().text("%BYTES_RETRANSMITTED% %PACKETS_RETRANSMITTED% %ROUNDTRIP_DURATION%") == "0 0 -");
}

TEST_CASE("response flags come short and long, in Envoy's order") {
  Exchange exchange;
  CHECK(exchange.json({{"f", leaf("%RESPONSE_FLAGS%")}}) == "{\"f\":\"-\"}\n");
  exchange.info.response_flags.set(ResponseFlag::kUpstreamRetryLimitExceeded);
  exchange.info.response_flags.set(ResponseFlag::kUpstreamConnectionFailure);

  CHECK(exchange.text("%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%") ==
        "UF,URX UpstreamConnectionFailure,UpstreamRetryLimitExceeded");

  for (unsigned i = 0; i < static_cast<unsigned>(ResponseFlag::kCount); ++i) {
    exchange.info.response_flags.set(static_cast<ResponseFlag>(i));
  }
  CHECK(exchange.text("%RESPONSE_FLAGS_LONG%").ends_with("UnconditionalDropOverload"));
}

TEST_CASE("process facts are compiled in") {
  Exchange exchange;
  ::setenv("SLUICE_FORMATTER_TEST", "here", 1);

  CHECK(exchange.text("%ENVIRONMENT(SLUICE_FORMATTER_TEST)%") == "here");
  CHECK(exchange.text("%ENVIRONMENT(SLUICE_FORMATTER_TEST_MISSING)%") == "-");
  CHECK(exchange.text("%HOSTNAME%") != "-");
}

TEST_CASE("metadata and filter state are read by path") {
  Exchange exchange;
  exchange.info.metadata().set("f", "user", leaf("ann\n"));
  exchange.info.metadata().set("f", "nested",
                               {MetadataFields{{"n", {4.0}}, {"list", {MetadataList{{true}, {1.5}, {}}}}}});
  exchange.info.filterState().set("key", "state");
  exchange.info.filterState().set("silent", std::make_unique<FilterState::Object>());

  CHECK(exchange.text("%DYNAMIC_METADATA(f:user)% %METADATA(DYNAMIC:f:user):2%") == "ann\\n an");
  CHECK(exchange.text("%DYNAMIC_METADATA(f:nested:n)% %DYNAMIC_METADATA(f:nested)%") ==
        "4 {\"n\":4,\"list\":[true,1.5,null]}");
  CHECK(exchange.text("%DYNAMIC_METADATA(g)% %DYNAMIC_METADATA(f:user:x)%") == "- -");
  CHECK(exchange.text(R"(%DYNAMIC_METADATA(["f", "nested", "n"])% %DYNAMIC_METADATA( [ "f","user" ] ):1%)") == "4 a");
  CHECK(exchange.text("%FILTER_STATE(key:PLAIN)% %FILTER_STATE(other)% %FILTER_STATE(silent)%") == "state - -");
  CHECK(exchange.text("%UPSTREAM_FILTER_STATE(key)%") == "state");
  exchange.info.filterState().set("a:b", "older");
  CHECK(exchange.text("%PER_REQUEST_STATE(key)% %PER_REQUEST_STATE(a:b)% %PER_REQUEST_STATE(other)%") ==
        "state older -");
  CHECK(exchange.json({{"m", leaf("%DYNAMIC_METADATA(f:nested)%")}, {"t", leaf("<%DYNAMIC_METADATA(f:nested:n)%>")}}) ==
        "{\"m\":{\"n\":4,\"list\":[true,1.5,null]},\"t\":\"<4>\"}\n");
}

TEST_CASE("an object of the filter state shows one of its fields") {
  struct Place : FilterState::Object {
    std::string_view text() const override { return "whole"; }
    std::optional<std::string_view> field(std::string_view name) const override {
      return name == "country" ? std::optional<std::string_view>("AQ") : std::nullopt;
    }
  };
  Exchange exchange;
  exchange.info.filterState().set("place", std::make_unique<Place>());
  exchange.info.filterState().set("key", "state");

  CHECK(exchange.text("%FILTER_STATE(place:FIELD:country)% %FILTER_STATE(place:FIELD:country):1%") == "AQ A");
  CHECK(exchange.text("%FILTER_STATE(place:FIELD:city)% %FILTER_STATE(key:FIELD:country)%") == "- -");
  for (const char* wrong : {"a:FIELD", "a:FIELD:", "a:PLAIN:b", "a:FIELD:b:c"}) {
    CHECK_FALSE(TextFormatter::compile(base::strCat("%FILTER_STATE(", wrong, ")%")).ok());
  }
}

TEST_CASE("the metadata of the cluster and the host is read as that of the stream is") {
  Exchange exchange;
  CHECK(exchange.text("%CLUSTER_METADATA(f:k)% %UPSTREAM_METADATA(f:k)%") == "- -");
  const FixedMetadata cluster({{"f", {MetadataFields{{"k", leaf("c")}}}}}, "c");
  exchange.info.setUpstreamMetadata(cluster, {});
  CHECK(exchange.text("%CLUSTER_METADATA(f:k)% %UPSTREAM_METADATA(f:k)%") == "c -");
  exchange.info.setUpstreamMetadata(cluster, FixedMetadata({{"f", {MetadataFields{{"k", {7.0}}}}}}, "h"));
  CHECK(exchange.text("%METADATA(CLUSTER:f:k)% %METADATA(UPSTREAM_HOST:f:k)% %UPSTREAM_METADATA(f)%") ==
        "c 7 {\"k\":7}");
  CHECK(exchange.text("%CLUSTER_METADATA(g:k)% %CLUSTER_METADATA(f:k:x)%") == "- -");
}

TEST_CASE("the metadata of the listener and its filter chain is read as that of the stream is") {
  Exchange exchange;
  CHECK(exchange.text("%METADATA(LISTENER:f:k)% %METADATA(LISTENER_FILTER_CHAIN:f:k)%") == "- -");
  const auto says = [](const char* text) { return FixedMetadata({{"f", {MetadataFields{{"k", leaf(text)}}}}}, text); };
  const ListenerMetadata both{says("l"), says("c")};
  exchange.info.listener_metadata = &both;
  CHECK(exchange.text("%METADATA(LISTENER:f:k)% %METADATA(LISTENER_FILTER_CHAIN:f:k)%") == "l c");
  CHECK(exchange.text("%METADATA(LISTENER:g:k)% %METADATA(LISTENER_FILTER_CHAIN:f)%") == "- {\"k\":\"c\"}");

  const ListenerMetadata one{says("l"), {}};
  exchange.info.listener_metadata = &one;
  CHECK(exchange.text("%METADATA(LISTENER:f:k)% %METADATA(LISTENER_FILTER_CHAIN:f:k)%") == "l -");
}

TEST_CASE("the metadata of the route and of its virtual host is read as that of the stream is") {
  Exchange exchange;
  CHECK(exchange.text("%METADATA(ROUTE:f:k)% %METADATA(VIRTUAL_HOST:f:k)%") == "- -");
  const MetadataFields metadata{{"f", {MetadataFields{{"k", leaf("r")}}}}};

  exchange.info.route_metadata = &metadata;
  const MetadataFields of_host{{"f", {MetadataFields{{"k", leaf("h")}}}}};
  exchange.info.virtual_host_metadata = &of_host;
  CHECK(exchange.text("%METADATA(VIRTUAL_HOST:f:k)% %METADATA(VIRTUAL_HOST:g:k)%") == "h -");

  CHECK(exchange.text("%METADATA(ROUTE:f:k)% %METADATA(ROUTE:f)% %METADATA(ROUTE:g:k)%") == "r {\"k\":\"r\"} -");
}

TEST_CASE("the virtual cluster is told by its name, and what is the same for all records can be looked at") {
  Exchange exchange;
  CHECK(exchange.text("%VIRTUAL_CLUSTER_NAME%") == "-");
  exchange.info.virtual_cluster_name = "writes";

  CHECK(exchange.text("%VIRTUAL_CLUSTER_NAME%") == "writes");
  CHECK(TextFormatter::compile("/a%REQ(x)%b%%c")->literals() == "/ab%c");
}

TEST_CASE("a length cuts strings of metadata only, numbers stay numbers") {
  Exchange exchange;
  exchange.info.metadata().set("f", "n", {123456.0});
  exchange.info.metadata().set("f", "s", leaf("abcdef"));
  CHECK(exchange.json({{"n", leaf("%DYNAMIC_METADATA(f:n):2%")}, {"s", leaf("%DYNAMIC_METADATA(f:s):2%")}}) ==
        "{\"n\":123456,\"s\":\"ab\"}\n");
}

TEST_CASE("JSON prints integers exactly") {
  Exchange exchange;
  exchange.info.bytes_sent = 100000;
  exchange.info.metadata().set("f", "n", {MetadataList{{100000.0}, {1e15}, {-9007199254740992.0}, {0.5}}});
  CHECK(exchange.json({{"b", leaf("%BYTES_SENT%")}, {"l", {1e17}}, {"n", leaf("%DYNAMIC_METADATA(f:n)%")}}) ==
        "{\"b\":100000,\"l\":100000000000000000,\"n\":[100000,1000000000000000,-9007199254740992,0.5]}\n");
}

TEST_CASE("the long names of header operators equal the short ones") {
  const Exchange exchange;
  CHECK(exchange.text("%REQUEST_HEADER(:METHOD)% %REQUEST_HEADER(X?USER-AGENT):4% %RESPONSE_HEADER(:STATUS)%") ==
        exchange.text("%REQ(:METHOD)% %REQ(X?USER-AGENT):4% %RESP(:STATUS)%"));
  CHECK(exchange.text("%RESPONSE_TRAILER(X)%") == "-");
}

TEST_CASE("operators of Envoy's that are not there are refused as such") {
  const Exchange exchange;
  for (const std::string name :
       {"TRACE_ID", "DOWNSTREAM_LOCAL_SERIAL", "ROUTE_RESOLUTION_TIME", "UPSTREAM_HEADER_BYTES_SENT"}) {
    INFO(name);
    CHECK(exchange.text("%" + name + "%").find("is not supported yet") != std::string::npos);
  }
}

TEST_CASE("the hosts of all attempts stand in their order") {
  Exchange exchange;
  const auto attempted = [&exchange] {
    return exchange.text(
        "%UPSTREAM_HOSTS_ATTEMPTED% %UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT% %UPSTREAM_HOST_NAMES_ATTEMPTED% "
        "%UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT% %UPSTREAM_CONNECTION_IDS_ATTEMPTED%");
  };
  stream::StreamInfo& info = exchange.info;
  info.upstream_host = info.upstream_host_name = {};
  info.upstream_connection_id = 0;
  CHECK(attempted() == "- - - - -");

  info.upstream_host = "10.0.0.1:80";
  info.upstream_host_name = "one:80";
  info.upstream_connection_id = 7;
  CHECK(attempted() == "10.0.0.1:80 10.0.0.1 one:80 one 7");
  info.noteAttempt();
  info.upstream_host = "[::1]:81";
  info.upstream_host_name = "two";
  info.noteAttempt();  // no connection
  info.upstream_connection_id = 9;
  CHECK(attempted() == "10.0.0.1:80,[::1]:81,[::1]:81 10.0.0.1,::1,::1 one:80,two,two one,two,two 7,9");
}

TEST_CASE("of a connection whose facts are not kept nothing is told") {
  const Exchange exchange;

  CHECK(exchange.text("%TLS_JA3_FINGERPRINT% %DOWNSTREAM_DIRECT_LOCAL_PORT% %DOWNSTREAM_CX_RTT% "
                      "%DOWNSTREAM_HANDSHAKE_DURATION% %DOWNSTREAM_DETECTED_CLOSE_TYPE% %UPSTREAM_DETECTED_CLOSE_TYPE% "
                      "%UPSTREAM_CONNECTION_POOL_READY_DURATION% %CUSTOM_FLAGS%") == "- - - - - - - -");
}

TEST_CASE("facts of the connection are told") {
  Exchange exchange;
  DownstreamFacts facts;
  facts.direct_local_address = "10.1.2.3:443";
  facts.fingerprints = std::make_unique<TlsFingerprints>(TlsFingerprints{"", "t13d"});
  facts.handshake = 2'900us;
  facts.close = DownstreamFacts::Close::kRemoteReset;
  facts.local_close_reason = "idle_timeout";
  facts.upstream_close = DownstreamFacts::Close::kLocalReset;
  facts.upstream_local_close_reason = "client";
  exchange.info.downstream = &facts;
  exchange.info.upstream_pool_wait = 1'500us;

  CHECK(exchange.text("%TLS_JA3_FINGERPRINT% %TLS_JA4_FINGERPRINT%") == "- t13d");
  CHECK(exchange.text("%DOWNSTREAM_DIRECT_LOCAL_ADDRESS% %DOWNSTREAM_DIRECT_LOCAL_PORT% "
                      "%DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT(8)%") == "10.1.2.3:443 443 10.0.0.0/8");
  CHECK(exchange.text("%DOWNSTREAM_HANDSHAKE_DURATION% %UPSTREAM_CONNECTION_POOL_READY_DURATION%") == "2 1");
  CHECK(exchange.text("%DOWNSTREAM_DETECTED_CLOSE_TYPE% %DOWNSTREAM_LOCAL_CLOSE_REASON%") ==
        "RemoteReset idle_timeout");
  CHECK(exchange.text("%UPSTREAM_DETECTED_CLOSE_TYPE% %UPSTREAM_LOCAL_CLOSE_REASON%") == "LocalReset client");
}

TEST_CASE("a connection may be older than the request, and its times are between themselves") {
  Exchange exchange;
  StreamInfo& info = exchange.info;
  info.start = StreamInfo::MonotonicTime(10s);
  CHECK(exchange.text("%COMMON_DURATION(US_CX_BEG:US_CX_END:ms)%") == "-");

  info.upstream_connect = {info.start - 50ms, info.start - 20ms};
  info.upstream_request_start = 2ms;

  CHECK(exchange.text("%COMMON_DURATION(US_CX_BEG:US_CX_END:ms)%") == "30");
  CHECK(exchange.text("%COMMON_DURATION(US_CX_END:US_TX_BEG:us)%") == "22000");
  CHECK(exchange.text("%COMMON_DURATION(DS_RX_BEG:US_CX_END:ms)%") == "-");
  CHECK(exchange.text("%COMMON_DURATION(US_CX_BEG:US_HS_END:ms)%") == "-");
  info.upstream_connect.handshake_end = info.start + 3ms;
  CHECK(exchange.text("%COMMON_DURATION(DS_RX_BEG:US_HS_END:ms)%") == "3");
}

TEST_CASE("only the addresses of internal listeners have an endpoint") {
  Exchange exchange;
  DownstreamFacts facts;
  facts.direct_local_address = "envoy://inner/";
  exchange.info.downstream = &facts;
  exchange.info.upstream_host = "envoy://inner/a/b";

  CHECK(exchange.text("%UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID% %DOWNSTREAM_REMOTE_ADDRESS_ENDPOINT_ID% "
                      "%DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID%") == "a/b - -");
}

TEST_CASE("heads are counted as they were read and made") {
  Exchange exchange;
  exchange.info.request_header_bytes = 100;
  exchange.info.response_header_bytes = 30;
  exchange.info.response_trailer_bytes = 5;

  CHECK(exchange.text("%DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED% "
                      "%DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT%") == "100 35");
}

TEST_CASE("what is missing is a dash or nothing") {
  Exchange exchange;
  const FormatContext empty{nullptr, nullptr, nullptr, exchange.info};
  std::string out;
  TextFormatter::compile("%REQ(:PATH)% %RESP(a)% %TRAILER(a)%")->format(empty, out);

  CHECK(out == "- - -");
  CHECK(exchange.text("<%ROUTE_NAME%>", {true, Escape::kLine}) == "<>");
}

TEST_CASE("percent signs are doubled") {
  Exchange exchange;

  CHECK(exchange.text("100%% %%REQ(x)%% %RESPONSE_CODE%%%") == "100% %REQ(x)% 200%");
}

TEST_CASE("values of bodies are for formats that say what they want of them") {
  Exchange exchange;
  BodyPaths wanted;
  const auto format = TextFormatter::compile("%REQUEST_BODY(a:b)% %RESPONSE_BODY()% %REQUEST_BODY(c):2%",
                                             {.escape = Escape::kNone, .bodies = &wanted});
  REQUIRE(format.ok());
  CHECK(wanted.request == std::vector<BodyPath>{{"a", "b"}, {"c"}});
  CHECK(wanted.response == std::vector<BodyPath>{{}});

  const auto made = [&](const BodyValues* values) {
    std::string out;
    format->format({.info = exchange.info, .bodies = values}, out);
    return out;
  };
  BodyValues values{.request = {BodyValue{"7", true}, BodyValue{"xyz"}}, .response = {std::nullopt}};
  CHECK(made(&values) == "7 - xy");
  values.longest = 2;
  CHECK(made(&values) == "7 - -");
  CHECK(made(nullptr) == "- - -");

  CHECK(exchange.text("%REQUEST_BODY(a)%") ==
        "ERROR format '%REQUEST_BODY(a)%', offset 0: %REQUEST_BODY% is known to formats of the filter transform only");
}

TEST_CASE("an unknown operator is refused with the nearest known one") {
  Exchange exchange;

  CHECK(exchange.text("a %BYTES_SEND%") ==
        "ERROR format 'a %BYTES_SEND%', offset 2: unknown operator %BYTES_SEND%; did you mean %BYTES_SENT%?");
}

TEST_CASE("malformed formats are refused") {
  Exchange exchange;
  for (const std::string_view format : {"%",
                                        "% ",
                                        "%REQ",
                                        "%REQ(",
                                        "%REQ(a",
                                        "%REQ(a)",
                                        "%REQ(a):%",
                                        "%REQ(a):x%",
                                        "%REQ()%",
                                        "%REQ%",
                                        "%REQ(a?b?c)%",
                                        "%REQ(?b)%",
                                        "%REQ(a b)%",
                                        "%DURATION(x)%",
                                        "%DURATION:3%",
                                        "%PATH(XX)%",
                                        "%req(a)%",
                                        "%ENVIRONMENT()%",
                                        "%COMMON_DURATION(A:B:ms)%",
                                        "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:h)%",
                                        "%REQ(a):99999999999999999999%",
                                        "%METADATA(NOBODY:x)%",
                                        "%DYNAMIC_METADATA()%",
                                        "%FILTER_STATE(a:ODD)%",
                                        "%PER_REQUEST_STATE()%",
                                        "%DYNAMIC_METADATA([])%",
                                        "%DYNAMIC_METADATA([\"a\", 1])%",
                                        "%UPSTREAM_METADATA([a)%",
                                        "%GRPC_STATUS(odd)%"}) {
    CAPTURE(format);
    CHECK(exchange.text(format).starts_with("ERROR format '"));
  }
}

TEST_CASE("no value can break the line or a quoted field") {
  Exchange exchange;
  exchange.request.path = "/\r\nforged \"quote\" \\ \x1b[31m\t\x7f \xc3\xa9 \xff \xc2\x9b \xed\xa0\x80";

  CHECK(exchange.text("\"%REQ(:PATH)%\"") ==
        "\"/\\r\\nforged \\\"quote\\\" \\\\ \\x1b[31m\\t\\x7f \xc3\xa9 \\xff \\xc2\\x9b \\xed\\xa0\\x80\"");
  CHECK(exchange.json({{"p", leaf("%REQ(:PATH)%")}}) ==
        "{\"p\":\"/\\r\\nforged \\\"quote\\\" \\\\ \\u001b[31m\\t\\u007f \xc3\xa9 \\ufffd \\u009b "
        "\\ufffd\\ufffd\\ufffd\"}\n");
  CHECK(exchange.text("%REQ(:PATH):1%%REQ(USER-AGENT)%", {false, Escape::kNone}) == "/curl/8");
}

TEST_CASE("every byte alone makes one line and one JSON string") {
  Exchange exchange;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string path(1, static_cast<char>(byte));
    exchange.request.path = path;
    const std::string line = exchange.text("%REQ(:PATH)%\n");
    const std::string json = exchange.json({{"p", leaf("%REQ(:PATH)%")}});
    for (const std::string& out : {line, json}) {
      CAPTURE(byte, out);
      CHECK(out.find('\n') == out.size() - 1);
      for (const char c : out.substr(0, out.size() - 1)) CHECK((c >= 0x20 && c < 0x7f));
    }
  }
}

TEST_CASE("a byte that needs escaping is found wherever it stands") {
  for (int byte = 0; byte < 256; ++byte) {
    const bool plain = byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
    for (size_t size = 1; size <= 20; ++size) {
      for (size_t at = 0; at < size; ++at) {
        std::string value(size, 'a');
        value[at] = static_cast<char>(byte);
        std::string line, json;
        appendLineEscaped(value, line);
        appendJsonEscaped(value, json);
        REQUIRE((line == value) == plain);
        REQUIRE((json == value) == plain);
      }
    }
  }
}

TEST_CASE("JSON keeps types, nests, sorts its keys and gives null for what is missing") {
  Exchange exchange;
  const MetadataFields object = {
      {"status", leaf("%RESPONSE_CODE%")},
      {"request", {MetadataFields{{"path", leaf("%REQ(:PATH)%")}, {"missing", leaf("%REQ(X)%")}}}},
      {"list", {MetadataList{leaf("%PROTOCOL%"), {3.0}, {true}, {}}}},
      {"both", leaf("%REQ(X)% %RESPONSE_CODE%\"")},
      {"a\"key", leaf("")},
  };

  CHECK(exchange.json(object) ==
        "{\"a\\\"key\":\"\",\"both\":\"- 200\\\"\",\"list\":[\"HTTP/1.1\",3,true,null],"
        "\"request\":{\"missing\":null,\"path\":\"/a?b=c\"},\"status\":200}\n");
  CHECK(exchange.json({{"a", leaf("%REQ(X)%")}, {"b", leaf("%RESPONSE_CODE%")}, {"c", leaf("%REQ(X)%")}},
                      {true, true}) == "{\"b\":200}\n");
  const MetadataFields empty = {
      {"a", {MetadataFields{{"b", {MetadataFields{{"c", leaf("%REQ(X)%")}}}}}}}, {"l", {MetadataList{}}}, {"n", {}}};
  CHECK(exchange.json(empty, {true, true}) == "{\"l\":[]}\n");
  CHECK(exchange.json({{"a", leaf("%REQ(X)%")}}, {true, true}) == "{}\n");
  CHECK(exchange.json({{"a", leaf("%REQ(X)%")}, {"b", leaf("%RESPONSE_CODE%")}}, {false, false}) ==
        "{\"a\":\"-\",\"b\":\"200\"}\n");
  CHECK(exchange.json({{"a", {MetadataFields{{"b", leaf("%NOPE%")}}}}}).starts_with("ERROR a.b: format '%NOPE%'"));
}

TEST_CASE("response flags have names both ways") {
  for (unsigned i = 0; i < static_cast<unsigned>(ResponseFlag::kCount); ++i) {
    const auto flag = static_cast<ResponseFlag>(i);
    CHECK(responseFlagOf(shortTextOf(flag)) == flag);
    CHECK_FALSE(longTextOf(flag).empty());
  }
  CHECK_FALSE(responseFlagOf("XX").has_value());
}

TEST_CASE("stream info is made new by reset") {
  Exchange exchange;
  exchange.info.metadata().set("f", "k", leaf("v"));

  exchange.info.reset();

  CHECK(exchange.info.response_code == 0);
  CHECK(exchange.info.response_end == StreamInfo::kNotYet);
  CHECK(exchange.info.dynamic_metadata == nullptr);
}

net::TlsInfo::Certificate certificate(const std::string& name) {
  net::TlsInfo::Certificate certificate;
  certificate.subject = "CN=" + name;
  certificate.issuer = "CN=ca";
  certificate.serial = "0a1b";
  certificate.sha256 = "ff00";
  certificate.sha1 = "00ff";
  certificate.pem = "-----BEGIN%20CERTIFICATE-----%0A";
  certificate.uri_sans = {"spiffe://a/" + name, "spiffe://b/" + name};
  certificate.dns_sans = {name + ".example"};
  certificate.valid_from = 1'700'000'000;
  certificate.valid_to = 1'800'000'000;
  return certificate;
}

struct FakeTls : net::Transport {
  Status handshake(const Io&) override { return Status::kDone; }
  Result read(const Io&, char*, size_t) override { return {Status::kEnd}; }
  Result write(const Io&, const iovec*, int) override { return {Status::kDone}; }
  void sendEnd(const Io&) override {}
  const net::TlsInfo* tlsInfo() override { return &info; }
  net::TlsInfo info;
};

TEST_CASE("facts of TLS connections are read on both sides") {
  Exchange exchange;
  FakeTls transport;
  net::TlsInfo& down = transport.info;
  down.version = "TLSv1.3";
  down.cipher = "TLS_AES_128_GCM_SHA256";
  down.session_id = "abcd";
  down.peer = certificate("client");
  down.peer_issuer_sha256 = "abba";
  down.peer_issuer_serial = "0b";
  down.local = certificate("server");
  exchange.info.downstream_transport = &transport;
  exchange.info.requested_server_name = "www.example";
  exchange.info.downstream_transport_failure_reason = "TLS error: bad";
  net::TlsInfo up = down;
  up.version = "TLSv1.2";
  up.peer = certificate("upstream");
  exchange.info.upstream_tls = base::makeLocal<UpstreamTls>(up);

  CHECK(exchange.text("%DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER% %DOWNSTREAM_TLS_SESSION_ID%") ==
        "TLSv1.3 TLS_AES_128_GCM_SHA256 abcd");
  CHECK(exchange.text("%DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_PEER_ISSUER% %DOWNSTREAM_PEER_SERIAL%") ==
        "CN=client CN=ca 0a1b");
  CHECK(exchange.text("%DOWNSTREAM_PEER_FINGERPRINT_256% %DOWNSTREAM_PEER_FINGERPRINT_1%") == "ff00 00ff");
  CHECK(exchange.text("%DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256% %DOWNSTREAM_PEER_ISSUER_SERIAL%") == "abba 0b");
  CHECK(exchange.text("%DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_DNS_SAN% %DOWNSTREAM_PEER_IP_SAN%") ==
        "spiffe://a/client,spiffe://b/client client.example -");
  CHECK(exchange.text("%DOWNSTREAM_PEER_CERT%") == "-----BEGIN%20CERTIFICATE-----%0A");
  CHECK(exchange.text("%DOWNSTREAM_PEER_CERT_V_START% %DOWNSTREAM_PEER_CERT_V_END(%s)%") ==
        "2023-11-14T22:13:20.000Z 1800000000");
  CHECK(exchange.text("%DOWNSTREAM_LOCAL_SUBJECT% %DOWNSTREAM_LOCAL_DNS_SAN%") == "CN=server server.example");
  CHECK(exchange.text("%UPSTREAM_TLS_VERSION% %UPSTREAM_PEER_SUBJECT%") == "TLSv1.2 CN=upstream");
  CHECK(exchange.text("%REQUESTED_SERVER_NAME% %DOWNSTREAM_TRANSPORT_FAILURE_REASON%") == "www.example TLS_error:_bad");
}

TEST_CASE("what is not TLS, and a client without a certificate, has no facts") {
  Exchange exchange;
  CHECK(exchange.text("%DOWNSTREAM_TLS_VERSION% %UPSTREAM_TLS_VERSION% %DOWNSTREAM_PEER_URI_SAN%") == "- - -");

  FakeTls bare;
  exchange.info.downstream_transport = &bare;
  CHECK(exchange.text("%DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_CERT_V_START%") == "- - -");
}

}  // namespace
}  // namespace sluice::stream
