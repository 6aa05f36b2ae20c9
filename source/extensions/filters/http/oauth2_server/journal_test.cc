#include "source/extensions/filters/http/oauth2_server/journal.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "source/extensions/filters/http/oauth2_server/test_state.h"
#include "test/support/files/scratch_folder.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

using std::chrono::seconds;
using namespace testing;  // NOLINT
using test::contentOf;

const std::string kKey(64, 'a');

struct Bed {
  absl::StatusOr<std::unique_ptr<Journal>> open(std::optional<crypto::Sealer> sealer = std::nullopt) {
    return Journal::open({.path = path, .sealer = std::move(sealer), .smallest = smallest, .largest = 8000}, kNow);
  }
  // The journal, which has to open.
  std::unique_ptr<Journal> opened(std::optional<crypto::Sealer> sealer = std::nullopt) {
    auto out = open(std::move(sealer));
    INFO(out.status());
    REQUIRE(out.ok());
    return *std::move(out);
  }
  // What it says when it does not.
  std::string problem(std::optional<crypto::Sealer> sealer = std::nullopt) {
    auto out = open(std::move(sealer));
    CHECK_FALSE(out.ok());
    return std::string(out.status().message());
  }
  State read() { return opened()->takeState(); }
  void write(const std::string& bytes) {
    folder.write("store", bytes);
    ::chmod(path.c_str(), 0600);
  }

  const test::ScratchFolder folder;
  const std::string path = folder / "store";
  size_t smallest = 1 << 20;
};

TEST_CASE("what was appended is there when the file is opened again") {
  Bed bed;
  State expected;
  {
    const auto journal = bed.opened();
    const std::vector<Change> first = {keyOf(), codeOf("c")}, second = {loginOf("l"), TokenRevoked{"t", kNow}};
    REQUIRE(journal->append(first).ok());
    REQUIRE(journal->append(second).ok());
    for (const Change& change : first) expected.apply(change);
    for (const Change& change : second) expected.apply(change);
  }

  const State read = bed.read();

  CHECK(bytesOf(read) == bytesOf(expected));
  CHECK(read.isRevoked("t"));
  REQUIRE(read.code(filter::digestOf("c")) != nullptr);
  CHECK(read.code(filter::digestOf("c"))->grant == grantOf());
  struct stat about {};
  REQUIRE(::stat(bed.path.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
}

TEST_CASE("what is left of an append that was cut at any byte goes, and nothing else") {
  Bed bed;
  REQUIRE(bed.opened()->append({loginOf("kept")}).ok());
  const std::string whole = contentOf(bed.path);
  REQUIRE(bed.opened()->append({loginOf("torn")}).ok());
  const std::string longer = contentOf(bed.path);

  for (size_t size = whole.size() + 1; size < longer.size(); ++size) {
    bed.write(longer.substr(0, size));
    auto journal = bed.opened();
    CHECK_THAT(journal->takeNote(), Catch::Contains("they were cut"));
    const State state = journal->takeState();
    CHECK(state.login("kept") != nullptr);
    CHECK(state.logins() == 1);
  }
  CHECK(contentOf(bed.path) == whole);
  bed.write(whole + std::string(4096, '\0'));
  CHECK(bed.read().logins() == 1);
  for (size_t size = 0; size < 23; ++size) {
    bed.write(whole.substr(0, size));
    CHECK(bed.read().logins() == 0);
  }
}

TEST_CASE("a file that is damaged in front of what is whole is refused, and stays as it is") {
  Bed bed;
  REQUIRE(bed.opened()->append({loginOf("first")}).ok());
  const size_t first = contentOf(bed.path).size();
  REQUIRE(bed.opened()->append({loginOf("second")}).ok());
  const std::string good = contentOf(bed.path);

  for (size_t at = 0; at < first; ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    bed.write(bad);
    const std::string problem = bed.problem();
    CHECK_THAT(problem, Catch::Contains(bed.path));
    CHECK_THAT(problem, at < 23 ? Catch::Contains("is no store") : Catch::Contains("byte 23: is damaged"));
    REQUIRE(contentOf(bed.path) == bad);
  }
}

TEST_CASE("a file that others may read, that is a folder, or that somebody has is refused") {
  Bed bed;
  {
    const auto journal = bed.opened();
    CHECK_THAT(bed.problem(), Catch::Contains("another process has it"));
  }
  ::chmod(bed.path.c_str(), 0640);
  CHECK_THAT(bed.problem(), Catch::Contains("may be read or written by others"));
  ::unlink(bed.path.c_str());
  std::filesystem::create_directory(bed.path);
  CHECK_THAT(bed.problem(), Catch::Contains("cannot be opened"));
  CHECK_THAT(std::string(Journal::open({.path = "/nowhere/store"}, kNow).status().message()),
             Catch::Contains("/nowhere/store"));
}

TEST_CASE("a file most of which is over is written anew") {
  Bed bed;
  bed.smallest = 4000;
  const auto journal = bed.opened();
  const Change key = keyOf();
  REQUIRE(journal->append({key}).ok());
  size_t largest = 0;
  for (int i = 0; i < 200; ++i) {
    REQUIRE(journal->append({loginOf("same"), codeOf(std::to_string(i % 3))}).ok());
    REQUIRE(journal->compact(kNow).ok());
    largest = std::max<size_t>(largest, std::filesystem::file_size(bed.path));
  }
  REQUIRE(journal->reopen().ok());
  const State state = journal->takeState();

  CHECK(largest < 6000);
  CHECK(state.logins() == 1);
  CHECK(state.codes() == 3);
  CHECK(state.keys().size() == 1);
  CHECK_FALSE(std::filesystem::exists(bed.path + ".new"));
}

TEST_CASE("what is over is not in a file that was written anew") {
  Bed bed;
  bed.smallest = 100;
  const auto journal = bed.opened();
  REQUIRE(journal->append({codeOf("c"), loginOf("l")}).ok());
  REQUIRE(journal->compact(kNow + seconds(60)).ok());
  REQUIRE(journal->reopen().ok());
  const State state = journal->takeState();

  CHECK(state.codes() == 0);
  CHECK(state.logins() == 1);
}

TEST_CASE("private keys may be sealed, and then nobody reads them without the key") {
  Bed bed;
  const KeyRecord key = keyOf();
  const std::string der = key.key->privateDer();
  REQUIRE(bed.opened()->append({key}).ok());
  CHECK(contentOf(bed.path).find(der) != std::string::npos);

  // Those that are not are sealed when there is a key for that.
  CHECK(bed.opened(crypto::Sealer::parse(kKey))->takeState().keys().size() == 1);
  CHECK(contentOf(bed.path).find(der) == std::string::npos);
  const auto journal = bed.opened(crypto::Sealer::parse(kKey + "\n"));
  REQUIRE(journal->append({key}).ok());
  CHECK(contentOf(bed.path).find(der) == std::string::npos);
  CHECK(journal->takeState().keys()[0].key->id() == key.key->id());
}

TEST_CASE("sealed keys need the key that sealed them") {
  Bed bed;
  REQUIRE(bed.opened(crypto::Sealer::parse(kKey))->append({keyOf()}).ok());

  CHECK_THAT(bed.problem(), Catch::Contains("are sealed; name the file"));
  CHECK_THAT(bed.problem(crypto::Sealer::parse(std::string(64, 'b'))), Catch::Contains("sealed by another key"));
}

TEST_CASE("after an append that failed nothing is written before the file is read again") {
  Bed bed;
  const auto journal = bed.opened();
  REQUIRE(journal->append({loginOf("before")}).ok());
  LoginRecord large = loginOf("large");
  large.grant.scope.assign(10'000, 'a');
  CHECK_FALSE(journal->append({large}).ok());
  CHECK_FALSE(journal->append({loginOf("after")}).ok());

  REQUIRE(journal->reopen().ok());
  REQUIRE(journal->append({loginOf("after")}).ok());
  REQUIRE(journal->reopen().ok());
  CHECK(journal->takeState().logins() == 2);
}

TEST_CASE("what was appended and not acknowledged is not there when the file is read again") {
  Bed bed;
  REQUIRE(bed.opened()->append({loginOf("told")}).ok());
  const std::string whole = contentOf(bed.path);
  REQUIRE(bed.opened()->append({loginOf("untold")}).ok());
  const std::string longer = contentOf(bed.path);
  bed.write(whole);

  const auto journal = bed.opened();
  bed.write(longer);
  REQUIRE(journal->reopen().ok());

  CHECK(journal->takeState().logins() == 1);
  CHECK(contentOf(bed.path) == whole);
}

TEST_CASE("a file that has lost what was acknowledged is not read again, nor made anew") {
  Bed bed;
  const auto journal = bed.opened();
  REQUIRE(journal->append({loginOf("l")}).ok());
  const std::string whole = contentOf(bed.path);
  std::string bad = whole;
  bad.back() = static_cast<char>(bad.back() ^ 1);
  for (const std::string& left : {bad, whole.substr(0, 100), std::string()}) {
    bed.write(left);
    CHECK_THAT(std::string(journal->reopen().message()), Catch::Contains("bytes that were written only"));
    CHECK(contentOf(bed.path) == left);
  }
  ::unlink(bed.path.c_str());
  CHECK_FALSE(journal->reopen().ok());
  CHECK_FALSE(std::filesystem::exists(bed.path));

  bed.write(whole);
  REQUIRE(journal->reopen().ok());
  CHECK(journal->takeState().logins() == 1);
}

TEST_CASE("a file is written anew before there is no room for more") {
  Bed bed;
  bed.smallest = 100;
  const auto journal = bed.opened();
  // What stands there is more than a quarter of what the file may have.
  for (int i = 0; i < 200; ++i) {
    REQUIRE(journal->append({loginOf(std::to_string(i % 20))}).ok());
    REQUIRE(journal->compact(kNow).ok());
  }
  REQUIRE(journal->reopen().ok());
  CHECK(journal->takeState().logins() == 20);
}

TEST_CASE("a key goes when its last token is over, and the newest never") {
  State state;
  state.apply(keyOf(kNow));
  state.apply(keyOf(kNow + seconds(1000)));

  CHECK(state.signingKey(kNow + seconds(999))->signs_from == kNow);
  CHECK(state.signingKey(kNow + seconds(1000))->signs_from == kNow + seconds(1000));
  state.expire(kNow + seconds(1299));
  CHECK(state.keys().size() == 2);
  state.expire(kNow + seconds(1300));
  CHECK(state.keys().size() == 1);
  state.expire(kNow + seconds(1'000'000));
  CHECK(state.keys().size() == 1);
}

}  // namespace
}  // namespace sluice::extensions::http_filters::oauth2_server
