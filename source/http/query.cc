#include "source/http/query.h"

#include <algorithm>
#include <string>

#include "source/base/percent.h"

namespace sluice::http {

std::optional<std::string_view> queryOf(std::string_view path) {
  const size_t mark = path.find('?');
  if (mark == std::string_view::npos) return std::nullopt;
  return path.substr(mark + 1);
}

QueryParameter takeParameter(std::string_view& query) {
  const std::string_view text = query.substr(0, query.find('&'));
  query.remove_prefix(std::min(query.size(), text.size() + 1));
  const size_t equals = text.find('=');
  return {text, text.substr(0, equals), equals == std::string_view::npos ? "" : text.substr(equals + 1)};
}

std::optional<std::string_view> queryParameterOf(std::string_view path, std::string_view name) {
  std::string_view rest = queryOf(path).value_or("");
  while (!rest.empty()) {
    const QueryParameter parameter = takeParameter(rest);
    if (base::equalsPercentDecoded(parameter.name, name)) return parameter.value;
  }
  return std::nullopt;
}

std::string_view withoutParameter(std::string_view path, std::string_view name, base::Arena& arena) {
  if (!queryParameterOf(path, name)) return path;
  std::string kept;
  for (std::string_view rest = *queryOf(path); !rest.empty();) {
    const QueryParameter parameter = takeParameter(rest);
    if (base::equalsPercentDecoded(parameter.name, name)) continue;
    kept += kept.empty() ? '?' : '&';
    kept += parameter.text;
  }
  return arena.concat(path.substr(0, path.find('?')), std::string_view(kept));
}

}  // namespace sluice::http
