// Who users are, as a directory knows it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::extensions::http_filters::ldap_auth {

struct Answer {
  enum class Kind : uint8_t {
    kRight,
    kWrong,        // name or password
    kError,        // a server answers, but not the question: who and what is in the log
    kUnavailable,  // no server answers
  };
  Kind kind;
  // Of who is right.
  std::string dn;
  std::string name;
  std::vector<std::string> groups;
};

// Thread: any, several at once.
class Directory {
 public:
  virtual ~Directory() = default;

  // Waits for servers: not for workers. `user` and `password`: not empty. `secret`: the service's own password.
  virtual Answer check(std::string_view user, std::string_view password, const std::string& secret) = 0;
  // Ends what waits, soon: from now on nothing is available. Does not wait.
  virtual void stop() = 0;
};

}  // namespace sluice::extensions::http_filters::ldap_auth
