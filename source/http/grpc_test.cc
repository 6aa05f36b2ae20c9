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
