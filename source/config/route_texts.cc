#include "source/config/route_texts.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "source/base/ascii.h"
#include "source/config/values.h"

namespace sluice::config {
namespace {

bool isControlOrSpace(char c) {
  return static_cast<unsigned char>(c) <= ' ' || c == 0x7f;
}

absl::string_view view(std::string_view text) {
  return {text.data(), text.size()};
}

// Reports if a byte of `text` is a control, a space or one of `others`.
bool checkBytes(std::string_view text, std::string_view others, std::string_view what, const Context& context) {
  const bool fine = std::none_of(text.begin(), text.end(), [others](char c) {
    return isControlOrSpace(c) || others.find(c) != std::string_view::npos;
  });
  if (fine) return true;
  context.error(absl::StrCat("holds a byte that ", view(what), " may not hold: no control characters, spaces",
                             others.empty() ? "" : " or any of ", view(others)));
  return false;
}

}  // namespace

bool checkDomain(std::string_view domain, const Context& context) {
  if (domain.empty()) {
    context.error("is empty; write a host name, or \"*\" for every host");
    return false;
  }
  if (!checkBytes(domain, "/?#@", "a host", context)) return false;
  const size_t stars = static_cast<size_t>(std::count(domain.begin(), domain.end(), '*'));
  if (stars == 0 || (stars == 1 && (domain.front() == '*' || domain.back() == '*'))) return true;
  context.error(
      absl::StrCat("\"", view(domain), "\" has a star elsewhere than at one end; write *.example.com, example.* or *"));
  return false;
}

void checkPathText(std::string_view text, const Context& context) {
  checkBytes(text, "#", "a path", context);
}

void checkHostText(std::string_view text, const Context& context) {
  checkBytes(text, "/?#@", "a host", context);
}

void checkScheme(std::string_view scheme, const Context& context) {
  const bool fine = !scheme.empty() && scheme.front() >= 'a' && scheme.front() <= 'z' &&
                    std::all_of(scheme.begin(), scheme.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
                    });
  if (!fine) context.error(absl::StrCat("\"", view(scheme), "\" is no URI scheme; write http or https"));
}

bool isToken(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [kOthers](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

bool isSettableHeader(std::string_view name) {
  return isToken(name) && name != "host" && name != "content-length" && name != "transfer-encoding";
}

std::string compileHeaderName(std::string_view name, const Context& at) {
  std::string lower = base::lowered(name);
  if (!isSettableHeader(lower)) at.error("is no header that may be set; name one of your own");
  return lower;
}

void checkMatchedHeader(std::string_view name, const Context& context) {
  if (name.starts_with(':')) {
    if (name == ":method" || name == ":path" || name == ":authority" || name == ":scheme") return;
    context.error(absl::StrCat("\"", view(name),
                               "\" is no pseudo-header of requests; those are :method, :path, :authority and :scheme"));
    return;
  }
  if (!isToken(name)) context.error("is no header name; use letters, digits and !#$%&'*+-.^_`|~ only");
}

match::Regex Regexes::compile(const std::string& pattern, const Context& context) {
  const auto known = known_.find(pattern);
  if (known != known_.end()) return known->second;
  auto regex = match::compileRegex(pattern);
  if (regex.ok()) return known_.emplace(pattern, *std::move(regex)).first->second;
  context.child("regex").error(std::string(regex.status().message()));
  return nullptr;
}

std::optional<route::RegexRewrite> Regexes::rewrite(const envoy::type::matcher::v3::RegexMatchAndSubstitute& config,
                                                    const Context& context) {
  return substitution(config, context, checkPathText);
}

std::optional<route::RegexRewrite> Regexes::hostRewrite(const envoy::type::matcher::v3::RegexMatchAndSubstitute& config,
                                                        const Context& context) {
  return substitution(config, context, checkHostText);
}

std::optional<route::RegexRewrite> Regexes::textRewrite(const envoy::type::matcher::v3::RegexMatchAndSubstitute& config,
                                                        const Context& context) {
  return substitution(config, context, [](std::string_view, const Context&) {});
}

std::optional<route::RegexRewrite> Regexes::substitution(
    const envoy::type::matcher::v3::RegexMatchAndSubstitute& config, const Context& context,
    void (*check)(std::string_view, const Context&)) {
  match::Regex pattern = compile(config.pattern(), context.child("pattern"));
  check(config.substitution(), context.child("substitution"));
  if (pattern == nullptr) return std::nullopt;
  std::string problem;
  if (!pattern->CheckRewriteString(config.substitution(), &problem)) {
    context.child("substitution").error(absl::StrCat("does not fit the pattern: ", problem));
    return std::nullopt;
  }
  return route::RegexRewrite{std::move(pattern), config.substitution()};
}

template <typename Config>
match::StringMatcher Regexes::compileString(const Config& config, const Context& context) {
  using Kind = match::StringMatcher::Kind;
  match::StringMatcher out;
  out.ignore_case = config.ignore_case();
  switch (config.match_pattern_case()) {
    case Config::kExact:
      out.kind = Kind::kExact;
      out.text = config.exact();
      break;
    case Config::kPrefix:
      out.kind = Kind::kPrefix;
      out.text = config.prefix();
      break;
    case Config::kSuffix:
      out.kind = Kind::kSuffix;
      out.text = config.suffix();
      break;
    case Config::kContains:
      out.kind = Kind::kContains;
      out.text = config.contains();
      break;
    case Config::kSafeRegex:
      out.kind = Kind::kRegex;
      out.text = config.safe_regex().regex();
      out.regex = compile(config.safe_regex().regex(), context.child("safe_regex"));
      if (config.ignore_case()) {
        context.child("ignore_case").error("does not apply to safe_regex; write (?i) before the expression");
      }
      break;
    case Config::MATCH_PATTERN_NOT_SET:
      context.error("needs one of exact, prefix, suffix, contains or safe_regex");
  }
  return out;
}

match::StringMatcher Regexes::stringMatcher(const envoy::type::matcher::v3::StringMatcher& config,
                                            const Context& context) {
  return compileString(config, context);
}

match::StringMatcher Regexes::stringMatcher(const xds::type::matcher::v3::StringMatcher& config,
                                            const Context& context) {
  return compileString(config, context);
}

}  // namespace sluice::config
