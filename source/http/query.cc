#include "source/http/query.h"

#include "source/base/percent.h"

namespace sluice::http {

std::optional<std::string_view> queryOf(std::string_view path) {
  const size_t mark = path.find('?');
  if (mark == std::string_view::npos) return std::nullopt;
  return path.substr(mark + 1);
}

std::optional<std::string_view> queryParameterOf(std::string_view path, std::string_view name) {
  std::string_view rest = queryOf(path).value_or("");
  while (!rest.empty()) {
    const size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    const size_t equals = pair.find('=');
    if (base::equalsPercentDecoded(pair.substr(0, equals), name)) {
      return equals == std::string_view::npos ? std::string_view("") : pair.substr(equals + 1);
    }
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  return std::nullopt;
}

}  // namespace sluice::http
