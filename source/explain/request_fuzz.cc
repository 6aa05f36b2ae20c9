// Bytes -> a request line and lines of headers: what is taken has to be what a codec could have made, and is taken
// again as it was printed.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "source/explain/request.h"
#include "source/http/rules.h"

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using sluice::explain::Parameters;
  using sluice::explain::requestOf;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  Parameters parameters;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    parameters.emplace_back(parameters.empty() ? "request" : "header", rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  const auto request = requestOf(parameters);
  if (!request.ok()) {
    check(!request.status().message().empty());
    return 0;
  }
  check(!request->authority.empty());
  check(request->path.empty() == (request->method == "CONNECT"));
  for (const auto& [name, value] : request->headers) {
    check(sluice::http::validLowerName(name) && sluice::http::validValue(value) && name != "host");
  }
  const bool connect = request->method == "CONNECT";
  const std::string url = connect ? request->authority : request->scheme + "://" + request->authority + request->path;
  const auto again = requestOf({{"request", request->method + " " + url}});
  // A `host` header may name another target than the URL: of CONNECT one without a port, else one with another port.
  const bool same_port = again.ok() && (parameters.size() > 1 || again->port == request->port);
  check(connect || (same_port && again->path == request->path));
  return 0;
}
