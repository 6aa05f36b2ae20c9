// A client of a session in its own protocol: the bytes of a request, and a reader of what is answered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "test/support/filter/bed.h"

namespace sluice::filter::testing {

// The stream of the request on HTTP/2.
constexpr uint32_t kClientStream = 1;

// The entry of SETTINGS for what an HTTP/2 client takes of a response.
std::string windowSetting(uint32_t window);
std::string requestBytes(Protocol protocol, const Message& message, const Events& events, uint32_t window);

// Where the HTTP/2 frame ends that holds the byte in front of `at`, or one that begins there.
size_t frameEnd(std::string_view bytes, size_t at);

class Reader {
 public:
  explicit Reader(ClientRecord& record) : record_(record) {}
  virtual ~Reader() = default;
  virtual void read(std::string_view bytes) = 0;
  void ended() {
    if (!record_.complete && record_.reset.empty()) record_.reset = "closed";
  }

 protected:
  ClientRecord& record_;
};

// `method`: of the request that is answered.
std::unique_ptr<Reader> makeReader(Protocol protocol, const std::string& method, ClientRecord& record);

}  // namespace sluice::filter::testing
