#include "source/extensions/matching/inputs/http/inputs.h"

#include <catch2/catch.hpp>

namespace sluice::extensions::matching::inputs::http {
namespace {

struct Exchange {
  base::Arena arena;
  sluice::http::RequestHeaders request{arena};
  sluice::http::ResponseHeaders response{arena};
  sluice::http::Trailers request_trailers{arena}, response_trailers{arena};
  Data data{.request = &request,
            .request_trailers = &request_trailers,
            .response = &response,
            .response_trailers = &response_trailers};

  Exchange() {
    request.method = "GET";
    request.path = "/a?b=c";
    request.authority = "example.com";
    response.status = 204;
  }

  // The value as text, "-" for none, "?" where nothing can be said yet.
  std::string read(const match::Input& input) {
    Scratch scratch;
    const Value value = input.get(data, scratch);
    return value.state == Value::State::kNotYet ? "?" : std::string(value.text.value_or("-"));
  }
  std::string parameter(std::string_view path, std::string_view name) {
    request.path = path;
    return read(QueryParameter(name));
  }
};

TEST_CASE("a header in several lines is one value, joined by commas, and cookies by semicolons") {
  Exchange e;
  e.request.add("x-a", "1");
  e.request.add("x-b", "between");
  e.request.add("x-a", "2,3");
  e.request.add("x-a", "a text that no small string holds");
  e.request.add("cookie", "a=1");
  e.request.add("cookie", "b=2");

  CHECK(e.read(RequestHeader("x-a")) == "1,2,3,a text that no small string holds");
  CHECK(e.read(RequestHeader("x-b")) == "between");
  CHECK(e.read(RequestHeader("cookie")) == "a=1; b=2");
}

TEST_CASE("an absent header has no value, an empty one the empty text") {
  Exchange e;
  e.request.add("x-empty", "");

  CHECK(e.read(RequestHeader("x-a")) == "-");
  CHECK(e.read(RequestHeader("user-agent")) == "-");
  CHECK(e.read(RequestHeader("x-empty")) == "");
}

TEST_CASE("pseudo-headers are read by their names, and host is the authority") {
  Exchange e;

  CHECK(e.read(RequestHeader(":method")) == "GET");
  CHECK(e.read(RequestHeader(":path")) == "/a?b=c");
  CHECK(e.read(RequestHeader("host")) == "example.com");
  CHECK(e.read(RequestHeader(":authority")) == "example.com");
  CHECK(e.read(ResponseHeader(":status")) == "204");
}

TEST_CASE("trailers and the response are read where they are") {
  Exchange e;
  e.request_trailers.add("x-a", "of the request");
  e.response.add("x-a", "of the response");
  e.response_trailers.add("x-a", "of its end");

  CHECK(e.read(RequestTrailer("x-a")) == "of the request");
  CHECK(e.read(ResponseHeader("x-a")) == "of the response");
  CHECK(e.read(ResponseTrailer("x-a")) == "of its end");
}

TEST_CASE("of what may still come nothing can be said") {
  Exchange e;
  e.data = {};

  CHECK(e.read(RequestHeader("x-a")) == "?");
  CHECK(e.read(QueryParameter("a")) == "?");
  CHECK(e.read(RequestTrailer("x-a")) == "?");
  CHECK(e.read(ResponseHeader("x-a")) == "?");
  CHECK(e.read(ResponseTrailer("x-a")) == "?");
  CHECK(e.read(StatusCode()) == "?");
  CHECK(e.read(StatusCodeClass()) == "?");
  CHECK(e.read(LocalReply()) == "?");
}

TEST_CASE("the first value of a query parameter counts, decoded in name and value") {
  Exchange e;

  CHECK(e.parameter("/?a=1&b=2", "b") == "2");
  CHECK(e.parameter("/?a=1&a=2", "a") == "1");
  CHECK(e.parameter("/?user%20name=foo%20b%C3%a4r", "user name") == "foo b\xc3\xa4r");
  CHECK(e.parameter("/?a", "a") == "");
  CHECK(e.parameter("/?a=", "a") == "");
  CHECK(e.parameter("/?a=b=c", "a") == "b=c");
  CHECK(e.parameter("/?a=1+2", "a") == "1+2");
  CHECK(e.parameter("/?ab=1", "a") == "-");
  CHECK(e.parameter("/?a=1", "ab") == "-");
  CHECK(e.parameter("/?&&=x", "a") == "-");
  CHECK(e.parameter("/a", "a") == "-");
}

TEST_CASE("what is no whole escape stands for itself") {
  Exchange e;

  CHECK(e.parameter("/?a=%", "a") == "%");
  CHECK(e.parameter("/?a=%4", "a") == "%4");
  CHECK(e.parameter("/?a=%zz%41", "a") == "%zzA");
}

TEST_CASE("a status is a number and has a class") {
  Exchange e;
  CHECK(e.read(StatusCode()) == "204");
  CHECK(e.read(StatusCodeClass()) == "2xx");

  e.response.status = 100;
  CHECK(e.read(StatusCodeClass()) == "1xx");
  e.response.status = 599;
  CHECK(e.read(StatusCodeClass()) == "5xx");
  e.response.status = 600;
  CHECK(e.read(StatusCodeClass()) == "-");
}

TEST_CASE("a response is the proxy's own or that of a host") {
  Exchange e;
  CHECK(e.read(LocalReply()) == "false");

  e.data.local_reply = true;

  CHECK(e.read(LocalReply()) == "true");
}

}  // namespace
}  // namespace sluice::extensions::matching::inputs::http
