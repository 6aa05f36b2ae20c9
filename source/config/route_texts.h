#pragma once

// Texts of route configurations that end up in messages: what may stand in them, and regular expressions.
//
// Every check reports to its context, which stands at the text, and says what to do. Empty texts pass where the field
// may be left out.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "envoy/type/matcher/v3/regex.pb.h"
#include "envoy/type/matcher/v3/string.pb.h"
#include "google/protobuf/duration.pb.h"

#include "source/config/errors.h"
#include "source/match/string.h"
#include "source/route/spec.h"
#include "xds/type/matcher/v3/string.pb.h"

namespace sluice::config {

// A domain of a virtual host: a host, or one with a star at its beginning or end. False after an error.
bool checkDomain(std::string_view domain, const Context& context);
// Part of a path: no controls, spaces or '#'.
void checkPathText(std::string_view text, const Context& context);
// An authority: no controls, spaces, '/', '?', '#', '@'.
void checkHostText(std::string_view text, const Context& context);
void checkScheme(std::string_view scheme, const Context& context);
// The name of a header (lower case) that a matcher asks for: a token, or one of the request's pseudo-headers.
void checkMatchedHeader(std::string_view name, const Context& context);
// A field name of RFC 9110: a token.
bool isToken(std::string_view text);
// A name, in lower case, of a header that a filter may set: none that frames the message or names its host.
bool isSettableHeader(std::string_view name);
// A header that a configuration has a filter set, or take what it looks for from: its name in lower case. Reports
// others to `at`, which stands at the name.
std::string compileHeaderName(std::string_view name, const Context& at);

// Compiles regular expressions, each text once: tables often repeat them.
class Regexes {
 public:
  // Null after an error.
  match::Regex compile(const envoy::type::matcher::v3::RegexMatcher& config, const Context& context) {
    return compile(config.regex(), context);
  }
  std::optional<route::RegexRewrite> rewrite(const envoy::type::matcher::v3::RegexMatchAndSubstitute& config,
                                             const Context& context);
  // The same, which makes a host.
  std::optional<route::RegexRewrite> hostRewrite(const envoy::type::matcher::v3::RegexMatchAndSubstitute& config,
                                                 const Context& context);
  // The same, which makes any text.
  std::optional<route::RegexRewrite> textRewrite(const envoy::type::matcher::v3::RegexMatchAndSubstitute& config,
                                                 const Context& context);
  match::StringMatcher stringMatcher(const envoy::type::matcher::v3::StringMatcher& config, const Context& context);
  match::StringMatcher stringMatcher(const ::xds::type::matcher::v3::StringMatcher& config, const Context& context);

 private:
  match::Regex compile(const std::string& pattern, const Context& context);
  std::optional<route::RegexRewrite> substitution(const envoy::type::matcher::v3::RegexMatchAndSubstitute& config,
                                                  const Context& context,
                                                  void (*check)(std::string_view, const Context&));
  template <typename Config>
  match::StringMatcher compileString(const Config& config, const Context& context);

  std::map<std::string, match::Regex> known_;
};

}  // namespace sluice::config
