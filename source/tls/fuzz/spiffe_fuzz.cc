// Any text: an ID has a trust domain that may stand in a configuration, and nothing that could be read otherwise.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "source/tls/spiffe.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::tls;
  const std::string id(reinterpret_cast<const char*>(data), size);
  const std::string_view domain = trustDomainOf(id);
  if (domain.empty()) return 0;
  const std::string front = "spiffe://" + std::string(domain) + "/";
  const bool plain = id.find_first_of("%?#:@\\ ", front.size()) == std::string::npos &&
                     id.find("//", front.size()) == std::string::npos && !id.ends_with('/');
  if (!isTrustDomain(domain) || !id.starts_with(front) || id.size() == front.size() || !plain) std::abort();
  return 0;
}
