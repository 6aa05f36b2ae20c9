// Cookies of a request, and the field that sets one (RFC 6265).
//
// Thread: the worker of the stream. Text lives in the arena of the header list.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/http/headers.h"
#include "source/http/rules.h"

namespace sluice::http {

// The value of the first cookie of that name in any `cookie` field, without quotes around it; nullopt: there is none.
// Names are compared with regard to case.
std::optional<std::string_view> cookieValue(const HeaderList& headers, std::string_view name);

// What stands between two ";" of a `cookie` field: "name=value", without the spaces around it. Without "=" all of it is
// the name, and there is no such cookie.
struct Cookie {
  std::string_view text, name, value;  // the value without quotes around it
  bool isSet() const { return text.size() > name.size(); }
  // Whether some server takes it for the cookie of that name: many do not regard spaces in front of "=".
  bool mayBe(std::string_view wanted) const { return isSet() && withoutSpaces(name) == wanted; }
};
// Takes the first one off a field's value; all of it is empty where nothing stands between.
Cookie takeCookie(std::string_view& cookies);

// Removes each cookie that may be the one of that name. Without one nothing changes.
void removeCookies(HeaderList& headers, std::string_view name);

// A cookie as a configuration describes it.
struct CookieSettings {
  std::string name;
  std::string path;                             // empty: the client takes the path of the request
  std::optional<std::chrono::seconds> max_age;  // nullopt: until the client's session ends; 0 or less: it goes
  // Further attributes in their order ("SameSite", "Lax"); without "=" where the value is empty.
  std::vector<std::pair<std::string, std::string>> attributes;
};

// What follows the value in a set-cookie field: `; Max-Age=60; Path=/; SameSite=Lax; HttpOnly`. HttpOnly always:
// scripts have no business with a proxy's cookies.
std::string cookieAttributes(const CookieSettings& cookie);

// The value of a set-cookie field: `name="value"` and the attributes. `value` has no quotes and no controls.
std::string_view setCookieText(base::Arena& arena, const CookieSettings& cookie, std::string_view value);

}  // namespace sluice::http
