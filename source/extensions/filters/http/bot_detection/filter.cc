#include "source/extensions/filters/http/bot_detection/filter.h"

#include <algorithm>
#include <iterator>

#include "source/base/ascii.h"
#include "source/filter/context.h"

namespace sluice::extensions::http_filters::bot_detection {
namespace {

// Anywhere in the name, in any case.
constexpr std::string_view kWords[] = {"bot", "crawler", "spider", "scraper", "headless"};
// At the beginning, in any case: libraries and command lines that say nothing else.
constexpr std::string_view kPrograms[] = {"apache-httpclient/",
                                          "aiohttp/",
                                          "curl/",
                                          "go-http-client/",
                                          "java/",
                                          "libwww-perl/",
                                          "node-fetch",
                                          "okhttp/",
                                          "php/",
                                          "python-",
                                          "ruby",
                                          "scrapy/",
                                          "wget/",
                                          "python/",
                                          "axios/"};

bool beginsWith(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() && base::equalsIgnoringCase(text.substr(0, lower.size()), lower);
}

bool anyMatches(const std::vector<match::StringMatcher>& matchers, std::string_view text) {
  return std::any_of(matchers.begin(), matchers.end(), [text](const auto& matcher) { return matcher.matches(text); });
}

}  // namespace

bool isKnownBot(std::string_view user_agent) {
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [&](std::string_view word) { return base::containsIgnoringCase(user_agent, word); }) ||
         std::any_of(std::begin(kPrograms), std::end(kPrograms),
                     [&](std::string_view program) { return beginsWith(user_agent, program); });
}

std::string_view Rules::refuses(std::string_view user_agent) const {
  if (user_agent.empty()) return deny_missing ? "bot_no_user_agent" : "";
  if (anyMatches(allow, user_agent)) return {};
  if (anyMatches(deny, user_agent)) return "bot_denied";
  return deny_known_bots && isKnownBot(user_agent) ? "bot_known" : "";
}

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const Rules& rules = context.settingsOr(settings_.rules);
  const std::string_view why = rules.refuses(headers.get(http::Name::kUserAgent).value_or(""));
  if (why.empty()) {
    context.count(settings_.allowed);
    return filter::Next{};
  }
  if (!context.sample(rules.enforced)) {
    context.count(settings_.shadow_denied);
    return filter::Next{};
  }
  context.count(settings_.denied);
  return filter::Reply{rules.status, "", why};
}

}  // namespace sluice::extensions::http_filters::bot_detection
