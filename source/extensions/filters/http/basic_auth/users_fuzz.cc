#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "source/extensions/filters/http/basic_auth/users.h"

// Whatever stands in a file, it is refused with a line, or has users that are found by their names.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::extensions::http_filters::basic_auth;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto users = Users::parse(text, {});
  if (!users.ok()) {
    if (users.status().message().substr(0, 5) != "line ") std::abort();
    return 0;
  }
  const User* const user = (*users)->standIn("x");
  if (user != nullptr && (*users)->find(user->name) != user) std::abort();
  if (user != nullptr && !user->hash.isSlow()) (void)user->hash.matches(text);
  return 0;
}
