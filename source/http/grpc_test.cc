#include "source/http/grpc.h"

#include <catch2/catch.hpp>

namespace sluice::http::grpc {
namespace {

TEST_CASE("gRPC is told by its content type; grpc-web is another") {
  CHECK(isGrpcContentType("application/grpc"));
  CHECK(isGrpcContentType("Application/GRPC+proto"));
  CHECK_FALSE(isGrpcContentType("application/grpc-web"));
  CHECK_FALSE(isGrpcContentType("application/grpcx"));
  CHECK_FALSE(isGrpcContentType("application/grp"));
}

TEST_CASE("a message is percent-encoded where a header could not carry it") {
  CHECK(encodeMessage("no such thing") == "no such thing");
  CHECK(encodeMessage("50% of\n\xc3\xa4") == "50%25 of%0A%C3%A4");
}

TEST_CASE("HTTP statuses have gRPC statuses") {
  CHECK(statusOfHttp(400) == 13);
  CHECK(statusOfHttp(401) == 16);
  CHECK(statusOfHttp(403) == 7);
  CHECK(statusOfHttp(404) == 12);
  CHECK(statusOfHttp(503) == 14);
  CHECK(statusOfHttp(418) == 2);
  CHECK(httpOfStatus(16) == 401);
  CHECK(httpOfStatus(99) == 500);
  CHECK(parseStatus("16") == 16);
  CHECK(parseStatus("") == -1);
  CHECK(parseStatus("1x") == -1);
  CHECK(parseStatus("-1") == -1);
}

TEST_CASE("a timeout is one to eight digits and a unit") {
  using namespace std::chrono_literals;
  CHECK(parseTimeout("1H") == 3'600'000ms);
  CHECK(parseTimeout("2M") == 120'000ms);
  CHECK(parseTimeout("3S") == 3000ms);
  CHECK(parseTimeout("04m") == 4ms);
  CHECK(parseTimeout("0m") == 0ms);
  CHECK(parseTimeout("1001u") == 2ms);
  CHECK(parseTimeout("1n") == 1ms);
  CHECK(parseTimeout("99999999H") == std::chrono::hours(876'000));
  CHECK(parseTimeout("99999999M") == std::chrono::hours(876'000));
  CHECK(parseTimeout("99999999S") == 99'999'999s);
  for (const char* bad : {"", "m", "5", "100000000m", "000000001S", "-1m", "+1m", " 1m", "1m ", "1 m", "1.5S", "0x1S",
                          "1s", "1h", "1\xb5", "1Sm", "1S,2S"}) {
    CAPTURE(bad);
    CHECK_FALSE(parseTimeout(bad));
  }
}

TEST_CASE("a timeout is told in eight digits at most") {
  using namespace std::chrono_literals;
  CHECK(formatTimeout(0ms) == "0m");
  CHECK(formatTimeout(99'999'999ms) == "99999999m");
  CHECK(formatTimeout(100'000'999ms) == "100000S");
  CHECK(formatTimeout(std::chrono::hours(99'999'999)) == "99999999S");
}

TEST_CASE("messages are counted wherever the body is cut") {
  std::string body;
  appendFrameHead(body, 0, 3);
  body += "abc";
  appendFrameHead(body, 0, 0);
  appendFrameHead(body, 1, 1);
  body += "d";
  for (size_t cut = 0; cut <= body.size(); ++cut) {
    MessageCounter counter;
    CHECK(counter.count(body.substr(0, cut)) + counter.count(body.substr(cut)) == 3);
  }
}

}  // namespace
}  // namespace sluice::http::grpc
