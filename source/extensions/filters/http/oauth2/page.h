// Pages for people whose login did not work.
#pragma once

#include <string>
#include <string_view>

namespace sluice::extensions::http_filters::oauth2 {

struct Page {
  std::string_view title, text;
  std::string_view quote = {};  // what somebody else says; empty: nothing
  std::string_view link = {};   // where another attempt begins; empty: nowhere
};

// HTML without scripts; every text is escaped.
std::string htmlOf(const Page& page);
// One that leads on at once: to browsers the next request comes from this site, so that Strict cookies go with it.
std::string htmlLeadingTo(std::string_view url);

constexpr std::string_view kHtml = "text/html; charset=utf-8";
constexpr std::string_view kPagePolicy = "default-src 'none'; frame-ancestors 'none'";

}  // namespace sluice::extensions::http_filters::oauth2
