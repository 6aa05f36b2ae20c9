#include "source/http/headers.h"

#include <catch2/catch.hpp>
#include <string>

#include "source/http/name_forms.h"

namespace sluice::http {
namespace {

TEST_CASE("every well-known name is found by its text and no near miss is") {
  for (int i = 1; i < static_cast<int>(Name::kCount); ++i) {
    const Name id = static_cast<Name>(i);
    const std::string text(textOf(id));
    REQUIRE_FALSE(text.empty());
    REQUIRE(nameOf(text) == id);
    for (size_t at = 0; at < text.size(); ++at) {
      std::string other = text;
      other[at] = '_';
      REQUIRE(nameOf(other) == Name::kOther);
    }
    REQUIRE(nameOf(text + "x") == Name::kOther);
    REQUIRE(nameOf(text.substr(1)) != id);
  }
  REQUIRE(nameOf("") == Name::kOther);
  REQUIRE(nameOf("x") == Name::kOther);
  REQUIRE(textOf(Name::kOther).empty());
}

TEST_CASE("a list keeps order and repetitions beyond its first sixteen fields") {
  base::Arena arena;
  HeaderList list(arena);
  for (int i = 0; i < 100; ++i) list.add("x-" + std::to_string(i % 50), std::to_string(i));

  REQUIRE(list.size() == 100);
  int expected = 0;
  for (const Field& field : list) REQUIRE(field.value == std::to_string(expected++));
  REQUIRE(list.get("x-7") == "7");
  REQUIRE(list.getAll("x-7") == "7,57");
  REQUIRE_FALSE(list.has(Name::kOther));
}

TEST_CASE("get finds the first value, getAll joins all, cookies with a semicolon") {
  base::Arena arena;
  HeaderList list(arena);
  list.add("accept", "");
  list.add(Name::kAccept, "b");
  list.add("cookie", "a=1");
  list.add("cookie", "b=2");
  list.add("via", "one");

  REQUIRE(list.get(Name::kAccept) == "");
  REQUIRE(list.getAll("accept") == ",b");
  REQUIRE(list.getAll("cookie") == "a=1; b=2");
  REQUIRE(list.getAll("via") == "one");
  REQUIRE(list.getAll("via")->data() == list.get("via")->data());
  REQUIRE_FALSE(list.get("age"));
  REQUIRE_FALSE(list.getAll("x-none"));
}

TEST_CASE("set replaces the first field of a name and drops the others") {
  base::Arena arena;
  HeaderList list(arena);
  for (const char* name : {"x-a", "server", "x-a", "server", "via"}) list.add(name, "old");

  list.set("x-a", "new");
  list.set(Name::kServer, "sluice");
  list.set("x-b", "added");

  std::string all;
  for (const Field& field : list) all += std::string(field.name) + "=" + std::string(field.value) + " ";
  REQUIRE(all == "x-a=new server=sluice via=old x-b=added ");
}

TEST_CASE("append extends the last field of a name") {
  base::Arena arena;
  HeaderList list(arena);
  list.append("x-forwarded-for", "10.0.0.1");
  list.append("x-forwarded-for", "10.0.0.2");
  list.append("x-a", "");
  list.append("x-a", "1");

  REQUIRE(list.size() == 2);
  REQUIRE(list.get(Name::kXForwardedFor) == "10.0.0.1,10.0.0.2");
  REQUIRE(list.get("x-a") == "1");
}

TEST_CASE("remove takes out all fields of a name and says how many") {
  base::Arena arena;
  HeaderList list(arena);
  for (const char* name : {"x-a", "server", "x-a", "server", "via"}) list.add(name, "v");

  REQUIRE(list.remove("x-a") == 2);
  REQUIRE(list.remove(Name::kServer) == 2);
  REQUIRE(list.remove(Name::kAge) == 0);
  REQUIRE(list.remove("x-none") == 0);

  REQUIRE(list.size() == 1);
  REQUIRE(list.has(Name::kVia));
  REQUIRE_FALSE(list.has(Name::kServer));
  REQUIRE(list.byteSize() == 3 + 1 + 4);
}

TEST_CASE("one field of a list is removed, and another of its name stays") {
  base::Arena arena;
  HeaderList list(arena);
  list.add("cookie", "a");
  list.add("x", "1");
  list.add("cookie", "b");
  list.add("x", "2");

  list.removeField(list.begin()[0]);
  CHECK(list.get(Name::kCookie) == "b");
  list.removeField(list.begin()[1]);
  CHECK_FALSE(list.has(Name::kCookie));
  REQUIRE(list.size() == 2);
  CHECK(list.getAll("x") == "1,2");
  list.removeField(list.begin()[1]);
  CHECK(list.getAll("x") == "1");
}

TEST_CASE("lookup answers pseudo-headers beside fields") {
  base::Arena arena;
  RequestHeaders request(arena);
  request.method = "GET";
  request.path = "/a?b";
  request.authority = "example.com";
  request.add("x-a", "1");
  ResponseHeaders response(arena);
  response.status = 204;

  REQUIRE(request.lookup(":method") == "GET");
  REQUIRE(request.lookup(":path") == "/a?b");
  REQUIRE(request.lookup(":authority") == "example.com");
  REQUIRE_FALSE(request.lookup(":scheme"));
  REQUIRE_FALSE(request.lookup(":none"));
  REQUIRE(request.lookup("x-a") == "1");
  REQUIRE(request.pathOnly() == "/a");
  REQUIRE(response.lookup(":status") == "204");
}

TEST_CASE("copies of fields and of the forms of their names outlive the list that they come from") {
  base::Arena arena;
  HeaderList copies(arena);
  copies.add("x-first", "0");
  {
    base::Arena other;
    HeaderList from(other);
    from.add(Name::kHost, "a");
    from.add("x-id", "1");
    from.setForms(NameForms::read("X-ID: 1\r\n", false, other));
    copies.addCopies(from);
  }
  REQUIRE(copies.size() == 3);
  CHECK(copies.get("x-first") == "0");
  CHECK(copies.get(Name::kHost) == "a");
  CHECK(copies.get("x-id") == "1");
  REQUIRE(copies.forms() != nullptr);
  std::string name = "x-id";
  copies.forms()->apply(name.data(), name.size());
  CHECK(name == "X-ID");
}

TEST_CASE("a status has its standard reason") {
  REQUIRE(reasonPhrase(200) == "OK");
  REQUIRE(reasonPhrase(503) == "Service Unavailable");
  REQUIRE(reasonPhrase(799) == "Unknown");
}

TEST_CASE("a response head takes over another without copying its fields") {
  base::Arena arena;
  ResponseHeaders from(arena), to(arena);
  from.status = 201;
  from.reason = "Made";
  from.protocol = Protocol::kHttp2;
  from.add(Name::kServer, "s");
  to.add("gone", "x");
  const Field* const fields = from.begin();

  to.take(from);

  CHECK(to.begin() == fields);
  CHECK(to.size() == 1);
  CHECK(to.get(Name::kServer) == "s");
  CHECK_FALSE(to.get("gone"));
  CHECK(to.status == 201);
  CHECK(to.reason == "Made");
  CHECK(to.protocol == Protocol::kHttp2);
  CHECK(from.empty());
  CHECK_FALSE(from.has(Name::kServer));
  CHECK(from.status == 0);
  from.add("new", "y");  // on fields of its own
  CHECK(to.size() == 1);
}

}  // namespace
}  // namespace sluice::http
