#include "source/filter/credentials/key_sources.h"

#include <catch2/catch.hpp>

#include <string>
#include <utility>

#include "source/base/arena.h"

namespace sluice::filter {
namespace {

using Place = KeySource::Place;
using Fields = std::vector<std::pair<std::string, std::string>>;

const KeySource kHeader{Place::kHeader, "x-key"};
const KeySource kQuery{Place::kQuery, "key"};
const KeySource kCookie{Place::kCookie, "key"};

struct Head {
  Head(const std::string& path, const Fields& fields) {
    headers.path = arena.copy(path);
    for (const auto& [name, value] : fields) headers.add(name, value);
  }
  Fields fields() const {
    Fields out;
    for (const http::Field& field : headers) out.emplace_back(field.name, field.value);
    return out;
  }

  base::Arena arena;
  http::RequestHeaders headers{arena};
};

std::string shown(const std::vector<KeySource>& sources, const std::string& path, const Fields& fields = {}) {
  const Head head(path, fields);
  const ShownKey key = shownKey(sources, head.headers);
  return key.several ? "several" : std::string(key.key);
}

TEST_CASE("a key is found in a header, in the query and in a cookie") {
  CHECK(shown({kHeader}, "/", {{"x-key", "a"}}) == "a");
  CHECK(shown({kHeader}, "/", {{"x-key", "Bearer a"}}) == "a");
  CHECK(shown({kHeader}, "/", {{"x-key", "bearer a"}}) == "bearer a");
  CHECK(shown({kHeader}, "/", {{"x-keys", "a"}}).empty());
  CHECK(shown({kQuery}, "/?a=b&key=c&keys=d") == "c");
  CHECK(shown({kQuery}, "/?k%65y=a%2Bb+c") == "a+b+c");
  CHECK(shown({kQuery}, "/key=a").empty());
  CHECK(shown({kQuery}, "").empty());
  CHECK(shown({kCookie}, "/", {{"cookie", "a=b; key=c"}}) == "c");
  CHECK(shown({kCookie}, "/", {{"cookie", "a=b"}, {"cookie", "key=\"c\""}}) == "c");
  CHECK(shown({kCookie}, "/", {{"cookie", "keys=c; Key=d; key"}}).empty());
}

TEST_CASE("the first source that has a key counts") {
  const std::vector<KeySource> all{kHeader, kQuery, kCookie};
  CHECK(shown(all, "/?key=b", {{"cookie", "key=c"}, {"x-key", "a"}}) == "a");
  CHECK(shown(all, "/?key=b", {{"cookie", "key=c"}}) == "b");
  CHECK(shown(all, "/?key=", {{"cookie", "key=c"}, {"x-key", ""}}) == "c");
  CHECK(shown(all, "/?key=b", {{"x-key", "Bearer "}}) == "b");
  CHECK(shown(all, "/").empty());
  CHECK(shown({}, "/?key=b").empty());
}

TEST_CASE("several keys at one source are seen, empty ones do not count") {
  CHECK(shown({kHeader}, "/", {{"x-key", "a"}, {"x-key", "b"}}) == "several");
  CHECK(shown({kQuery}, "/?key=a&key=a") == "several");
  CHECK(shown({kCookie}, "/", {{"cookie", "key=a"}, {"cookie", "b=c; key=d"}}) == "several");
  CHECK(shown({kCookie}, "/", {{"cookie", "key=a; key =b"}}) == "several");
  CHECK(shown({kQuery}, "/?key=&key=a&key=") == "a");
}

TEST_CASE("all that stands at any source is hidden, and nothing else") {
  Head head("/p?a=1&k%65y=x&&key&b=%41",
            {{"a", "1"}, {"x-key", "x"}, {"x-key", "y"}, {"cookie", "c=1;  key=x ;key =y;d=2"}});

  hideKeys({kHeader, kQuery, kCookie}, head.headers);

  CHECK(head.headers.path == "/p?a=1&&b=%41");
  CHECK(head.fields() == Fields{{"a", "1"}, {"cookie", "c=1; d=2"}});
}

TEST_CASE("what holds nothing but the key goes as a whole") {
  Head head("/p?key=x", {{"cookie", "key=x"}, {"cookie", "a=1"}});

  hideKeys({kQuery, kCookie}, head.headers);

  CHECK(head.headers.path == "/p");
  CHECK(head.fields() == Fields{{"cookie", "a=1"}});
}

TEST_CASE("a head without a key stays as it is") {
  for (const char* path : {"", "*", "/p?", "/p?a=1&", "/?keys=1"}) {
    Head head(path, {{"cookie", "a=1;b=2"}, {"b", "2"}});
    hideKeys({kHeader, kQuery, kCookie}, head.headers);
    CHECK(head.headers.path == path);
    CHECK(head.fields() == Fields{{"cookie", "a=1;b=2"}, {"b", "2"}});
  }
}

}  // namespace
}  // namespace sluice::filter
