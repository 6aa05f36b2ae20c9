// Bytes -> whatever a stranger sends is read, and what is answered has the question's id, fits, and is a message whose
// records end where it ends.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "source/extensions/filters/udp/dns_filter/message.h"
#include "source/extensions/filters/udp/dns_filter/name.h"
#include "source/extensions/filters/udp/dns_filter/test_dns_message.h"

namespace {

using namespace sluice::extensions::udp_filters::dns_filter;
using testing::behindName;
using testing::numberIn;

void check(std::string_view answer, std::string_view asked, size_t limit) {
  if (answer.size() > limit || answer.substr(0, 2) != asked.substr(0, 2)) std::abort();
  size_t at = 12;
  for (uint16_t i = numberIn(answer, 4); i > 0; --i) at = behindName(answer, at) + 4;
  for (uint16_t i = numberIn(answer, 6) + numberIn(answer, 10); i > 0; --i) {
    at = behindName(answer, at) + 8;
    at += 2 + numberIn(answer, at);
  }
  if (at != answer.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Parsed parsed = parseQuery(bytes);
  if (parsed.result == Parsed::Result::kIgnore) return 0;
  Answer answer(parsed.query, true);
  if (parsed.result == Parsed::Result::kQuery) {
    if (!parsed.query.name.empty()) {
      if (suffixOf(parsed.query.name).size() > parsed.query.name.size()) std::abort();
      const auto text = hostText(parsed.query.name);
      if (text && nameOf(*text) != parsed.query.name) std::abort();
    }
    const auto address = *sluice::net::Address::fromIp("10.0.0.1", 0);
    while (answer.addAddress(address, 1)) continue;
    answer.addService(1, 2, 3, parsed.query.name, 4);
    answer.addOther(parsed.query.name, address, 5);
  }
  check(answer.finish(parsed.rcode), bytes, parsed.query.limit);
  return 0;
}
