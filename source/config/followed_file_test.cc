#include "source/config/followed_file.h"

#include <catch2/catch.hpp>

#include <memory>
#include <string>

#include "source/config/loader.h"
#include "source/config/test_world.h"
#include "source/config/values.h"
#include "source/worker/main_services.h"
#include "source/worker/test_worker.h"
#include "test/support/files/scratch_folder.h"

namespace sluice::config {
namespace {

using envoy::config::core::v3::DataSource;
using Texts = std::shared_ptr<const worker::Exchanged<std::string>>;

// A text that may not hold "wrong".
std::shared_ptr<const std::string> readText(const DataSource& source, const FactoryContext& context) {
  const auto text = compileDataSource(source, context.at);
  if (!text) return nullptr;
  if (text->find("wrong") == std::string::npos) return std::make_shared<const std::string>(*text);
  context.at.error("is wrong");
  return nullptr;
}

struct Bed : testing::TestWorld {
  Bed() {
    services.main = &main;
    services.local_slots = slots;
  }
  ~Bed() { settle(); }

  Texts follow(const std::string& source_yaml) {
    DataSource source;
    REQUIRE(load(source_yaml, source));
    DataSource content = source;
    content.clear_watched_directory();
    return readAndFollow<std::string>(source, {.what = "the texts", .stats = "t."},
                                      holding.context(Context(errors, &positions, "texts")),
                                      [content](const FactoryContext& context) { return readText(content, context); });
  }
  Texts followFile(const std::string& path) {
    return follow("{filename: " + path + ", watched_directory: {path: " + folder.path() + "}}");
  }
  void settle() {
    loop.pass(std::chrono::milliseconds(100));
    loop.turn();
  }
  int64_t counted(const std::string& name) {
    return static_cast<int64_t>(main.cells.read(holding.stats().counter("t." + name).id));
  }

  const test::ScratchFolder folder;
  event::PolledLoop loop;
  worker::LocalSlots slots;
  worker::testing::TestWorker worker{nullptr, slots};
  worker::MainServices main{loop, stats.makeCells(), slots, [](std::function<void(worker::WorkerServices&)>) {}};
  Holding holding{services};
};

TEST_CASE("a file that changes is read again, and a wrong one leaves what was read before") {
  Bed bed;
  const std::string path = bed.folder.write("text", "one");
  const Texts texts = bed.followFile(path);
  REQUIRE(texts != nullptr);
  CHECK(*texts->get(bed.worker.services) == "one");
  CHECK(bed.counted("reload_success") == 0);

  bed.folder.write("text", "two");
  CHECK(bed.loop.until([&] {
    bed.settle();
    return *texts->get(bed.worker.services) == "two";
  }));
  CHECK(bed.counted("reload_success") >= 1);

  bed.folder.write("text", "wrong");
  CHECK(bed.loop.until([&] {
    bed.settle();
    return bed.counted("reload_failure") >= 1;
  }));
  CHECK(*texts->get(bed.worker.services) == "two");
}

TEST_CASE("a wrong file is refused when it is configured, where it stands") {
  Bed bed;
  CHECK(bed.followFile(bed.folder.write("text", "wrong")) == nullptr);
  CHECK_THAT(bed.problems(), Catch::Contains("texts: is wrong"));
}

TEST_CASE("what is no file is read, and not followed") {
  Bed bed;
  const Texts texts = bed.follow("{inline_string: one}");
  REQUIRE(texts != nullptr);
  CHECK(*texts->get(bed.worker.services) == "one");
  CHECK(bed.follow("{inline_string: one, watched_directory: {path: /}}") == nullptr);
  CHECK_THAT(bed.problems(), Catch::Contains("texts.watched_directory: is for a file"));
}

TEST_CASE("a directory that is not there cannot be followed") {
  Bed bed;
  const std::string path = bed.folder.write("text", "one");
  CHECK(bed.follow("{filename: " + path + ", watched_directory: {path: " + (bed.folder / "nowhere") + "}}") == nullptr);
  CHECK_THAT(bed.problems(), Catch::Contains("texts.watched_directory"));
}

TEST_CASE("a message is read of a file only, with places in it") {
  testing::TestWorld world;
  const test::ScratchFolder folder;
  Positions positions;
  DataSource source, message;
  source.set_inline_string("x");
  CHECK_FALSE(readMessageFile(source, message, positions, world.at));
  CHECK_THAT(world.problems(), Catch::Contains("is no file"));

  testing::TestWorld other;
  source.set_filename(folder.write("m.yaml", "filename: a\nnowhere: b\n"));
  CHECK_FALSE(readMessageFile(source, message, positions, other.at));
  CHECK_THAT(other.problems(), Catch::Contains("m.yaml:2"));
}

}  // namespace
}  // namespace sluice::config
