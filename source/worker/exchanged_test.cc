#include "source/worker/exchanged.h"

#include <catch2/catch.hpp>
#include <string>

#include "source/worker/test_worker.h"

namespace sluice::worker {
namespace {

using testing::TestWorker;
using Text = Exchanged<std::string>;

TEST_CASE("each worker sees a new value when it asks next, and none where there is none") {
  LocalSlots slots;
  TestWorker a(nullptr, slots, 0), b(nullptr, slots, 1);
  Text text(slots);

  CHECK(text.get(a.services) == nullptr);
  text.set(std::make_shared<const std::string>("one"));
  CHECK(*text.get(a.services) == "one");
  text.set(std::make_shared<const std::string>("two"));
  CHECK(*text.get(a.services) == "two");
  CHECK(*text.get(b.services) == "two");
  text.set(nullptr);
  CHECK(text.get(a.services) == nullptr);
}

TEST_CASE("a value lives for who keeps it, and for nobody once all workers have another one") {
  LocalSlots slots;
  TestWorker a(nullptr, slots, 0);
  auto first = std::make_shared<const std::string>("one");
  const std::weak_ptr<const std::string> watched = first;
  Text text(slots, std::move(first));

  Text::Ptr kept = text.get(a.services);
  text.set(nullptr);
  text.get(a.services);
  CHECK(*kept == "one");
  kept.reset();

  CHECK(watched.expired());
}

}  // namespace
}  // namespace sluice::worker
