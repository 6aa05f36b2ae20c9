#include "source/config/internal_redirect.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/config/route_texts.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::config::route::v3;

constexpr std::array<uint32_t, 5> kRedirects = {301, 302, 303, 307, 308};
// What says where a message ends or belongs to a connection: copied from an answer it would break the request.
constexpr std::array<std::string_view, 10> kOfMessage = {
    "connection", "content-length",    "expect",  "keep-alive",    "proxy-connection", "te",
    "trailer",    "transfer-encoding", "upgrade", "http2-settings"};

void statusCodes(const v3::InternalRedirectPolicy& config, const Context& context, route::InternalRedirectPolicy& out) {
  if (config.redirect_response_codes().empty()) return;
  out.status_codes.clear();
  for (int i = 0; i < config.redirect_response_codes_size(); ++i) {
    const uint32_t status = config.redirect_response_codes(i);
    if (std::find(kRedirects.begin(), kRedirects.end(), status) != kRedirects.end()) {
      out.status_codes.push_back(static_cast<uint16_t>(status));
    } else {
      context.child("redirect_response_codes", static_cast<size_t>(i))
          .warn(absl::StrCat(status, " is never followed; redirects are 301, 302, 303, 307 and 308"));
    }
  }
}

// In lower case; empty after an error.
std::string copiedHeader(const std::string& name, const Context& context) {
  std::string lower = absl::AsciiStrToLower(name);
  if (lower.rfind(':', 0) == 0 || lower == "host") {
    context.error(absl::StrCat("\"", name, "\" is part of the request line and follows from `location`; remove it"));
    return {};
  }
  if (std::find(kOfMessage.begin(), kOfMessage.end(), lower) != kOfMessage.end()) {
    context.error(absl::StrCat("\"", name,
                               "\" says where a message ends or belongs to a connection, so that of an answer does not "
                               "fit a request; remove it"));
    return {};
  }
  if (!isToken(lower)) {
    context.error("is no header name; use letters, digits and !#$%&'*+-.^_`|~ only");
    return {};
  }
  return lower;
}

void predicates(const v3::InternalRedirectPolicy& config, const Context& context,
                const CompileRedirectPredicate& compile_predicate, route::InternalRedirectPolicy& out) {
  for (int i = 0; i < config.predicates_size(); ++i) {
    const Context at = context.child("predicates", static_cast<size_t>(i)).child("typed_config");
    if (!compile_predicate) {
      at.error("no extension that judges redirects is known here; remove it");
      continue;
    }
    auto predicate = compile_predicate(config.predicates(i).typed_config(), at);
    if (predicate) out.predicates.push_back(std::move(predicate));
  }
}

}  // namespace

std::shared_ptr<const route::InternalRedirectPolicy> compileInternalRedirectPolicy(
    const v3::InternalRedirectPolicy& config, const Context& context,
    const CompileRedirectPredicate& compile_predicate) {
  const auto out = std::make_shared<route::InternalRedirectPolicy>();
  if (config.has_max_internal_redirects()) out->max_redirects = config.max_internal_redirects().value();
  statusCodes(config, context, *out);
  predicates(config, context, compile_predicate, *out);
  out->cross_scheme = config.allow_cross_scheme_redirect();
  for (int i = 0; i < config.response_headers_to_copy_size(); ++i) {
    const Context at = context.child("response_headers_to_copy", static_cast<size_t>(i));
    std::string name = copiedHeader(config.response_headers_to_copy(i), at);
    if (!name.empty()) out->headers_to_copy.push_back(std::move(name));
  }
  return out;
}

}  // namespace sluice::config
