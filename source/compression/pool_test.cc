#include "source/compression/pool.h"

#include <catch2/catch.hpp>

#include "source/compression/block_cache.h"
#include "source/compression/inflate_bound.h"
#include "source/compression/test_library.h"
#include "source/worker/test_worker.h"

namespace sluice::compression {
namespace {

using testing::TestCompressorLibrary;

TEST_CASE("a state is used again, and knows nothing of the message before") {
  const auto library = std::make_shared<TestCompressorLibrary>();
  worker::testing::TestWorker worker;
  {
    const Shared<CompressorLibrary> shared(library, worker::LocalSlots());
    std::string out;
    {
      Lease<CompressorLibrary> lease = shared.take(worker.services);
      lease->compress("left", Flush::kNone, out);
    }
    Lease<CompressorLibrary> lease = shared.take(worker.services);
    lease->compress("ab", Flush::kEnd, out);
    CHECK(out == "AB.");
    CHECK(library->made == 1);
    lease.release();
    CHECK_FALSE(lease);
  }
}

TEST_CASE("a pool keeps a bounded number of states") {
  const auto library = std::make_shared<TestCompressorLibrary>();
  Pool<CompressorLibrary> pool(library);
  {
    std::vector<Lease<CompressorLibrary>> leases;
    for (size_t i = 0; i < 3 * Pool<CompressorLibrary>::kMostIdle; ++i) leases.emplace_back(pool);
  }
  CHECK(pool.idle() == Pool<CompressorLibrary>::kMostIdle);
}

TEST_CASE("what comes out is bounded by what went in, beyond a floor") {
  InflateBound bound(10);
  bound.tookIn(1);
  CHECK(bound.letOut(InflateBound::kAlways));
  CHECK_FALSE(bound.letOut(1));
  bound.tookIn(InflateBound::kAlways);
  CHECK(bound.letOut(9 * InflateBound::kAlways));
  bound.reset();
  CHECK(bound.empty());
}

TEST_CASE("a block of the same size is given again") {
  BlockCache cache;
  void* first = cache.allocate(100);
  cache.release(first);
  void* other = cache.allocate(200);
  CHECK(other != first);
  CHECK(cache.allocate(100) == first);
  cache.release(first);
  cache.release(other);
  CHECK(cache.idle() == 2);
}

TEST_CASE("a block as large as a peer may ask for goes back at once") {
  BlockCache cache;
  cache.release(cache.allocate(16 * 1024 * 1024));
  CHECK(cache.idle() == 0);
}

}  // namespace
}  // namespace sluice::compression
