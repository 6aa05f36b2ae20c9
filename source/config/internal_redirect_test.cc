// Which redirects are followed, as configuration says it.
#include "source/config/internal_redirect.h"

#include <catch2/catch.hpp>
#include <string>

#include "source/config/loader.h"
#include "source/config/validate.h"

namespace sluice::config {
namespace {

class Yes : public route::RedirectPredicate {
 public:
  bool accepts(const route::RedirectStep&) const override { return true; }
};

struct Compiler {
  // What is wrong with it.
  std::string compile(const std::string& yaml, bool known = true) {
    ErrorList errors;
    Positions positions;
    envoy::config::route::v3::InternalRedirectPolicy config;
    Loader(errors, positions).loadText(yaml, Format::kYaml, "f.yaml", config);
    REQUIRE(errors.toString() == "");
    validate(config, Context(errors));
    if (!errors.empty()) return errors.toString();
    const auto predicate = [](const google::protobuf::Any&, const Context&) { return std::make_shared<Yes>(); };
    policy = compileInternalRedirectPolicy(config, Context(errors),
                                           known ? CompileRedirectPredicate(predicate) : CompileRedirectPredicate());
    for (const ConfigError& warning : errors.warnings()) warnings += warning.toString();
    return errors.toString();
  }

  std::string warnings;
  std::shared_ptr<const route::InternalRedirectPolicy> policy;
};

bool says(const std::string& text, std::string_view what) {
  return text.find(what) != std::string::npos;
}

TEST_CASE("a policy that says nothing follows one 302") {
  Compiler t;

  CHECK(t.compile("{}") == "");

  CHECK(t.policy->max_redirects == 1);
  CHECK(t.policy->takes(302));
  for (const uint16_t status : {200, 301, 303, 304, 307, 308}) CHECK_FALSE(t.policy->takes(status));
  CHECK_FALSE(t.policy->cross_scheme);
  CHECK(t.policy->accepts({}));
}

TEST_CASE("everything that a policy can say is compiled") {
  Compiler t;

  CHECK(t.compile("{max_internal_redirects: 5, redirect_response_codes: [301, 307], allow_cross_scheme_redirect: true, "
                  "response_headers_to_copy: [X-Token, cookie], predicates: [{name: p, typed_config: {'@type': "
                  "type.googleapis.com/envoy.config.route.v3.InternalRedirectPolicy}}]}") == "");

  CHECK(t.policy->max_redirects == 5);
  CHECK(t.policy->takes(301));
  CHECK(t.policy->takes(307));
  CHECK_FALSE(t.policy->takes(302));
  CHECK(t.policy->cross_scheme);
  CHECK(t.policy->headers_to_copy == std::vector<std::string>{"x-token", "cookie"});
  CHECK(t.policy->predicates.size() == 1);
}

TEST_CASE("no redirect may be followed at all") {
  Compiler t;

  CHECK(t.compile("{max_internal_redirects: 0}") == "");

  CHECK(t.policy->max_redirects == 0);
}

TEST_CASE("a status that is never followed is warned of, and does not bring 302 back") {
  Compiler t;

  CHECK(t.compile("{redirect_response_codes: [304]}") == "");

  CHECK(says(t.warnings, "redirect_response_codes[0]: 304 is never followed"));
  CHECK_FALSE(t.policy->takes(302));
  CHECK_FALSE(t.policy->takes(304));
}

TEST_CASE("headers of the request line and of the message are not copied from an answer") {
  Compiler t;

  CHECK(says(t.compile("{response_headers_to_copy: [':path']}"), "is part of the request line"));
  CHECK(says(t.compile("{response_headers_to_copy: [Host]}"), "is part of the request line"));
  CHECK(says(t.compile("{response_headers_to_copy: [x, Content-Length]}"), "response_headers_to_copy[1]"));
  CHECK(says(t.compile("{response_headers_to_copy: [transfer-encoding]}"), "where a message ends"));
  CHECK(says(t.compile("{response_headers_to_copy: [a, a]}"), "is in the list already"));
}

TEST_CASE("six status codes are too many, and a predicate needs an extension") {
  Compiler t;

  CHECK(says(t.compile("{redirect_response_codes: [301, 302, 303, 307, 308, 301]}"), "takes at most 5 entries"));
  CHECK(says(t.compile("{predicates: [{name: p, typed_config: {'@type': "
                       "type.googleapis.com/envoy.config.route.v3.InternalRedirectPolicy}}]}",
                       false),
             "predicates[0].typed_config: no extension"));
}

}  // namespace
}  // namespace sluice::config
