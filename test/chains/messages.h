// Requests and responses by chance.
#pragma once

#include <string>
#include <vector>

#include "source/base/random.h"
#include "test/support/filter/interleaving.h"

namespace sluice::chains {

using filter::testing::Fields;
using filter::testing::Message;

// True once in `of`.
inline bool once(base::Random& random, uint64_t of) {
  return random.below(of) == 0;
}

template <typename T>
T oneOf(base::Random& random, const std::vector<T>& list) {
  return list[random.below(list.size())];
}

Message randomRequest(base::Random& random, bool http2);

struct Response {
  uint16_t status = 200;
  Message message;
};

// What a host says to `request`. It says its number as x-upstream.
Response randomResponse(base::Random& random, const Message& request, size_t number);

// A body, in pieces.
std::vector<std::string> randomPieces(base::Random& random, const std::string& body);

// A body of one of the kinds that filters look at.
std::string randomBody(base::Random& random, std::string_view content_type);

}  // namespace sluice::chains
