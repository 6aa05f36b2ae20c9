#include "source/http/name_forms.h"

#include <catch2/catch.hpp>
#include <string>

namespace sluice::http {
namespace {

struct Forms {
  explicit Forms(std::string_view lines, bool proper_others = false)
      : forms(NameForms::read(lines, proper_others, arena)) {}
  std::string operator()(std::string name) const {
    forms->apply(name.data(), name.size());
    return name;
  }

  base::Arena arena;
  const NameForms* forms;
};

constexpr std::string_view kHead =
    "GET http://a:80/X:Y HTTP/1.1\r\nHost: A:80\r\nX-Request-ID: B\r\naccept: C\r\nx-Twice: 1\r\nX-TWICE: 2\r\n\r\n";

TEST_CASE("names are written as they came, the first form of each") {
  const Forms forms(kHead);
  CHECK(forms("host") == "Host");
  CHECK(forms("x-request-id") == "X-Request-ID");
  CHECK(forms("accept") == "accept");
  CHECK(forms("x-twice") == "x-Twice");
  CHECK(forms("x-other") == "x-other");
  CHECK(forms("x-request-i") == "x-request-i");
}

TEST_CASE("names that join them are in lower case or proper case, as asked for") {
  const Forms forms(kHead, true);
  CHECK(forms("x-request-id") == "X-Request-ID");
  CHECK(forms("accept") == "accept");
  CHECK(forms("x-envoy-attempt-count") == "X-Envoy-Attempt-Count");
}

TEST_CASE("what has no fields has no forms") {
  CHECK(Forms("GET / HTTP/1.1\r\n\r\n")("host") == "host");
  CHECK(Forms("\r\n")("host") == "host");
  CHECK(Forms("")("host") == "host");
  CHECK(Forms("X-Trailer: a")("x-trailer") == "X-Trailer");
}

TEST_CASE("a copy lives by itself") {
  base::Arena arena;
  const NameForms* copy;
  {
    const Forms forms(kHead);
    copy = forms.forms->copy(arena);
  }
  std::string name = "x-request-id";
  copy->apply(name.data(), name.size());
  CHECK(name == "X-Request-ID");
}

TEST_CASE("proper case begins each word with a capital") {
  const auto proper = [](std::string name) {
    writeProperCase(name.data(), name.size());
    return name;
  };
  CHECK(proper("content-type") == "Content-Type");
  CHECK(proper("x-b3-traceid") == "X-B3-Traceid");
  CHECK(proper("foo$b_c") == "Foo$B_C");
  CHECK(proper("-a--b-") == "-A--B-");
  CHECK(proper("").empty());
}

}  // namespace
}  // namespace sluice::http
