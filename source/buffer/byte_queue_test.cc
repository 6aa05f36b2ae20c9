#include "source/buffer/byte_queue.h"

#include <catch2/catch.hpp>
#include <string>

namespace sluice::buffer {
namespace {

std::string drain(ByteQueue& queue, size_t step) {
  std::string out;
  while (!queue.empty()) {
    const std::string_view front = queue.front().substr(0, step);
    out += front;
    queue.consume(front.size());
  }
  return out;
}

TEST_CASE("bytes leave a queue in the order they came, whatever the sizes") {
  BlockPool pool;
  ByteQueue queue(pool);
  std::string expected;
  for (size_t size : {1ul, 5ul, 16384ul, 16383ul, 40000ul, 7ul}) {
    const std::string piece(size, static_cast<char>('a' + size % 26));
    queue.append(piece);
    expected += piece;
  }

  REQUIRE(queue.size() == expected.size());
  REQUIRE(drain(queue, 1000) == expected);
  REQUIRE(queue.size() == 0);
}

TEST_CASE("peek shows all blocks and consume may end in the middle of one") {
  BlockPool pool;
  ByteQueue queue(pool);
  queue.append(std::string(40000, 'x'));
  iovec vectors[8];

  REQUIRE(queue.peek(vectors, 8) == 3);
  queue.consume(20000);
  REQUIRE(queue.peek(vectors, 8) == 2);
  REQUIRE(vectors[0].iov_len == 2 * BlockPool::kBlockSize - 20000);
}

TEST_CASE("appending and consuming in turns keeps every byte") {
  BlockPool pool(2);
  ByteQueue queue(pool);
  std::string in, out;
  for (int i = 0; i < 2000; ++i) {
    const std::string piece(1 + i % 300, static_cast<char>('a' + i % 26));
    queue.append(piece);
    in += piece;
    const size_t n = std::min<size_t>(queue.size(), i % 290);
    for (size_t left = n; left > 0;) {
      const std::string_view front = queue.front().substr(0, left);
      out += front;
      left -= front.size();
      queue.consume(front.size());
    }
  }
  out += drain(queue, 100000);

  REQUIRE(in == out);
}

}  // namespace
}  // namespace sluice::buffer
