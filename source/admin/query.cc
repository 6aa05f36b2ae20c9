#include "source/admin/query.h"

#include <algorithm>

#include "source/base/percent.h"

namespace sluice::admin {

Query::Query(std::string_view target) {
  target = target.substr(0, target.find('#'));
  const size_t mark = target.find('?');
  // Tools join a base that ends in a slash with a path that begins with one.
  for (const char c : target.substr(0, mark)) {
    if (c != '/' || path_.empty() || path_.back() != '/') path_ += c;
  }
  std::string_view rest = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    parameters_.emplace_back(
        base::formDecoded(pair.substr(0, equals)),
        equals == std::string_view::npos ? std::string() : base::formDecoded(pair.substr(equals + 1)));
  }
}

std::optional<std::string_view> Query::get(std::string_view name) const {
  for (const auto& [key, value] : parameters_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Query::unknown(const std::vector<std::string_view>& known) const {
  for (const auto& parameter : parameters_) {
    bool found = false;
    for (const std::string_view name : known) found = found || parameter.first == name;
    if (!found) return parameter.first;
  }
  return std::nullopt;
}

}  // namespace sluice::admin
