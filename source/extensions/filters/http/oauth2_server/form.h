// Parameters of a query or of a form's body. (application/x-www-form-urlencoded)
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::extensions::http_filters::oauth2_server {

class Form {
 public:
  static constexpr size_t kMaxBody = 64 * 1024;  // bytes
  static constexpr size_t kMaxParameters = 100;

  // What cannot be read in one meaning is kept as `wrong()`, so that what is to be known of the rest can be.
  static Form parse(std::string_view text);

  // Why it is refused; empty: it is good. Static text.
  std::string_view wrong() const { return wrong_; }
  // Empty: it is not there, or empty, which is the same (RFC 6749 section 3.1).
  std::string_view get(std::string_view name) const;
  // It stands there several times.
  bool isRepeated(std::string_view name) const;

 private:
  struct Parameter {
    std::string name, value;
    bool repeated = false;
  };
  const Parameter* find(std::string_view name) const;

  std::vector<Parameter> parameters_;
  std::string_view wrong_;
};

}  // namespace sluice::extensions::http_filters::oauth2_server
