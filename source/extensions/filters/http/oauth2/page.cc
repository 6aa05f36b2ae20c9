#include "source/extensions/filters/http/oauth2/page.h"

#include <string>

#include "source/base/html.h"
#include "source/base/text.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

std::string escaped(std::string_view text) {
  std::string shown(text);
  std::erase_if(shown, [](char c) { return static_cast<unsigned char>(c) < ' '; });
  return base::htmlEscaped(shown);
}

constexpr std::string_view kTop = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">";

}  // namespace

std::string htmlOf(const Page& page) {
  const std::string title = escaped(page.title);
  std::string out = base::strCat(kTop, "<title>", title, "</title></head>\n<body><h1>", title, "</h1>\n<p>",
                                 escaped(page.text), "</p>\n");
  if (!page.quote.empty()) base::strAppend(out, "<blockquote>", escaped(page.quote), "</blockquote>\n");
  if (!page.link.empty()) base::strAppend(out, "<p><a href=\"", escaped(page.link), "\">Try again</a></p>\n");
  return out + "</body></html>\n";
}

std::string htmlLeadingTo(std::string_view url) {
  const std::string to = escaped(url);
  return base::strCat(kTop, "<meta http-equiv=\"refresh\" content=\"0; url=", to,
                      "\"><title>Logged in</title></head>\n<body><p><a href=\"", to,
                      "\">Go on</a></p></body></html>\n");
}

}  // namespace sluice::extensions::http_filters::oauth2
