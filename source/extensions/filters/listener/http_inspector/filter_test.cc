#include "source/extensions/filters/listener/http_inspector/filter.h"

#include <catch2/catch.hpp>
#include <string>

namespace sluice::extensions::listener_filters::http_inspector {
namespace {

TEST_CASE("versions are told by the request line and the preface") {
  CHECK(detect("GET / HTTP/1.1\r\n") == Finding::kHttp11);
  CHECK(detect("M-SEARCH * HTTP/1.0\n") == Finding::kHttp10);
  CHECK(detect("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0") == Finding::kHttp2);
  CHECK(detect("GET " + std::string(kMaxLine - 20, 'a') + " HTTP/1.1\r\n") == Finding::kHttp11);
}

TEST_CASE("every first part is waited for") {
  for (const std::string text : {"GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}) {
    for (size_t size = 1; size < text.size(); ++size) CHECK(detect(text.substr(0, size)) == Finding::kNeedMore);
    CHECK(detect(text) != Finding::kNeedMore);
  }
}

TEST_CASE("what is no HTTP is told as soon as it can be") {
  using namespace std::string_literals;
  for (const std::string& text :
       {"\x16\x03\x01"s, " GET"s, "GET\t"s, "GET /\r\n"s, "GET / HTTP/3.0\r\n"s, "\0"s, "\r\n"s, "SSH-2.0-OpenSSH\r\n"s,
        "PRI * HTTP/2.0\r\n\r\nXX"s, "GET / HTTP/1.10\r\n"s}) {
    CAPTURE(text);
    CHECK(detect(text) == Finding::kNone);
  }
  CHECK(detect("GET /" + std::string(kMaxLine, 'a')) == Finding::kNone);
  CHECK(detect(std::string(kMaxLine, 'a')) == Finding::kNone);
}

TEST_CASE("the finding becomes the application protocol, but not inside of TLS") {
  const Filter filter({});
  observability::StatsCells cells;
  filter::Accepted accepted;
  CHECK_FALSE(filter.skips(accepted, cells));
  CHECK(filter.inspect("GET / HT", accepted, cells).verdict == filter::ListenerFilter::Verdict::kMore);
  CHECK(filter.inspect("GET / HTTP/1.0\r\n", accepted, cells).verdict == filter::ListenerFilter::Verdict::kDone);
  CHECK(accepted.application_protocols == std::vector<std::string>{"http/1.0"});
  filter.inspect("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", accepted, cells);
  CHECK(accepted.application_protocols == std::vector<std::string>{"h2c"});
  accepted.transport_protocol = "tls";
  CHECK(filter.skips(accepted, cells));
}

}  // namespace
}  // namespace sluice::extensions::listener_filters::http_inspector
