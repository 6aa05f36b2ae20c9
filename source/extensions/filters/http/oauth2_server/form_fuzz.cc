#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "source/extensions/filters/http/oauth2_server/authorization.h"

// Whatever is asked, nobody is sent but to where the client has said, and no header is split.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::extensions::http_filters::oauth2_server;
  static const Clients* const clients = [] {
    auto* const out = new Clients;
    Client app;
    app.id = "a";
    app.uses_codes = true;
    app.redirect_uris = {"https://a.example/cb", "http://127.0.0.1/cb"};
    app.most = {"a", {}, "r w", {"u"}};
    out->add(std::move(app));
    return out;
  }();
  const Form form = Form::parse({reinterpret_cast<const char*>(data), size});
  const Authorization out = authorize(form, *clients, "user", std::chrono::seconds(60));
  const Return* to = nullptr;
  if (const auto* const error = std::get_if<ReturnedError>(&out)) to = &error->to;
  if (const auto* const granted = std::get_if<Granted>(&out)) to = &granted->to;
  if (to == nullptr) return 0;
  const std::string url = returnUrl(*to, "https://i.example", "code", "c");
  std::string_view rest = url;
  if (constexpr std::string_view kPort = "http://127.0.0.1:"; rest.starts_with(kPort)) {
    rest.remove_prefix(std::min(rest.find_first_not_of("0123456789", kPort.size()), rest.size()));
  }
  const bool known =
      url.starts_with("https://a.example/cb?") || url.starts_with("http://127.0.0.1/cb?") || rest.starts_with("/cb?");
  if (!known || url.find_first_of("\r\n\t \"<>") != std::string::npos) std::abort();
  return 0;
}
