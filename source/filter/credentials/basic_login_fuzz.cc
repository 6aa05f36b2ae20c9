#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "source/filter/credentials/basic_login.h"

// Whatever a header says, user and password are what its text is made of.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::filter;
  const auto token = credentialsOf({reinterpret_cast<const char*>(data), size});
  if (!token) return 0;
  const auto login = decodeLogin(*token);
  if (!login) return 0;
  if (login->user().find(':') != std::string_view::npos) std::abort();
  if (login->user().size() + 1 + login->password().size() != login->text.size()) std::abort();
  if (login->text.size() > size) std::abort();
  return 0;
}
