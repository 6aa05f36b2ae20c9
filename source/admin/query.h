// The target of a request: path and decoded query parameters.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::admin {

class Query {
 public:
  explicit Query(std::string_view target);

  std::string_view path() const { return path_; }
  // The first value; nullopt if absent. A parameter without '=' has the value "".
  std::optional<std::string_view> get(std::string_view name) const;
  bool has(std::string_view name) const { return get(name).has_value(); }
  // The first parameter that is not in `known`; nullopt if all are.
  std::optional<std::string_view> unknown(const std::vector<std::string_view>& known) const;
  const std::vector<std::pair<std::string, std::string>>& parameters() const { return parameters_; }

 private:
  std::string path_;
  std::vector<std::pair<std::string, std::string>> parameters_;
};

}  // namespace sluice::admin
