#include "source/extensions/filters/http/basic_auth/users.h"

#include <catch2/catch.hpp>

#include <set>
#include <string>

#include "source/base/text.h"
#include "source/worker/test_worker.h"

namespace sluice::extensions::http_filters::basic_auth {
namespace {

const std::string kHash = "{SHA}CEo1Ae3vaEXy8eQZjsOiuBz1xrw=";  // sesame

std::shared_ptr<const Users> parse(const std::string& text) {
  auto users = Users::parse(text, {});
  REQUIRE(users.ok());
  return *users;
}

std::string problem(const std::string& text) {
  const auto users = Users::parse(text, {});
  return std::string(users.status().message());
}

filter::Login login(const std::string& text) {
  return {text, text.find(':')};
}

TEST_CASE("each line is a user, but for empty ones and comments") {
  const auto users = parse("# all\n\nali:" + kHash + "\r\n\r\nali baba:" + kHash + "\nlast:" + kHash);

  for (const char* name : {"ali", "ali baba", "last"}) {
    const User* const user = users->find(name);
    REQUIRE(user);
    CHECK(user->name == name);
    CHECK(user->hash.matches("sesame"));
  }
  for (const char* name : {"", "Ali", "ali ", "# all"}) CHECK_FALSE(users->find(name));
}

TEST_CASE("what is wrong names its line, and no hash") {
  CHECK(problem("a:" + kHash + "\n\nb").starts_with("line 3 has no colon"));
  CHECK(problem("#\n:" + kHash).starts_with("line 2 has no name"));
  CHECK(problem("a :" + kHash).starts_with("line 1 has no name"));
  CHECK(problem("a\tb:" + kHash).starts_with("line 1 has no name"));
  CHECK(problem("a:" + kHash + "\na:" + kHash).starts_with("line 2 has a name that stands above"));
  CHECK(problem("a:hush").starts_with("line 1 has no hash that is known"));
  CHECK_THAT(problem("a:hush"), !Catch::Contains("hush"));
}

TEST_CASE("a name that is not there is tried on somebody, the same each time") {
  std::string text;
  for (int i = 0; i < 50; ++i) text += base::strCat("user", i, ":", kHash, "\n");
  const auto users = parse(text);

  std::set<const User*> tried;
  for (int i = 0; i < 200; ++i) {
    const std::string name = base::strCat("nobody", i);
    tried.insert(users->standIn(name));
    CHECK(users->standIn(name) == users->standIn(name));
  }

  CHECK(tried.size() > 10);
  CHECK_FALSE(tried.contains(nullptr));
  CHECK_FALSE(parse("")->standIn("nobody"));
}

TEST_CASE("a worker remembers for a while that a password was right") {
  worker::testing::TestWorker worker, other;
  const auto users = parse("ali:" + kHash), same = parse("ali:" + kHash);

  users->remember(login("ali:sesame"), worker);

  CHECK(users->isRemembered(login("ali:sesame"), worker));
  CHECK_FALSE(users->isRemembered(login("ali:sesam"), worker));
  CHECK_FALSE(users->isRemembered(login("al:sesame"), worker));
  CHECK_FALSE(users->isRemembered(login("ali:sesame"), other));
  CHECK_FALSE(same->isRemembered(login("ali:sesame"), other));
  worker.loop.pass(Users::kRemembered);
  CHECK_FALSE(users->isRemembered(login("ali:sesame"), worker));
}

TEST_CASE("a worker remembers a bounded number") {
  worker::testing::TestWorker worker;
  const auto users = parse("ali:" + kHash);
  const auto at = [](size_t i) { return login(base::strCat("ali:", i)); };

  constexpr size_t kMany = Users::kMaxRemembered + 100;
  for (size_t i = 0; i < kMany; ++i) {
    users->remember(at(i), worker);
    CHECK(users->isRemembered(at(i), worker));
  }

  size_t remembered = 0;
  for (size_t i = 0; i < kMany; ++i) remembered += users->isRemembered(at(i), worker) ? 1 : 0;
  CHECK(remembered == Users::kMaxRemembered);
}

}  // namespace
}  // namespace sluice::extensions::http_filters::basic_auth
