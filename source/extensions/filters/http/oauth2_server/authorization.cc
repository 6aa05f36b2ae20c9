#include "source/extensions/filters/http/oauth2_server/authorization.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "source/base/base64_url.h"
#include "source/base/percent.h"
#include "source/base/text.h"
#include "source/base/utf8.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

constexpr size_t kMaxState = 2048, kMaxSubject = 1024;  // bytes

std::optional<Digest> readChallenge(std::string_view text) {
  const auto bytes = base::fromBase64Url(text);
  Digest out;
  if (!bytes || bytes->size() != out.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return out;
}

// RFC 6749 appendix A.4, with one space between names.
bool isScope(std::string_view scope) {
  char before = ' ';
  for (const char c : scope) {
    if (c == ' ' && before == ' ') return false;
    if (c != ' ' && (c < 0x21 || c > 0x7e || c == '"' || c == '\\')) return false;
    before = c;
  }
  return scope.empty() || before != ' ';
}

// The first that is wrong with what a known client asks for a known place.
std::optional<Refusal> problemOf(const Form& form, const Client& client) {
  if (!form.wrong().empty()) return Refusal{"invalid_request", form.wrong()};
  if (!form.get("request").empty()) return Refusal{"request_not_supported", "request objects are not supported."};
  if (!form.get("request_uri").empty()) return Refusal{"request_uri_not_supported", "request_uri is not supported."};
  if (form.get("response_type").empty()) return Refusal{"invalid_request", "response_type is missing."};
  if (form.get("response_type") != "code") {
    return Refusal{"unsupported_response_type", "response_type has to be code."};
  }
  if (const auto mode = form.get("response_mode"); !mode.empty() && mode != "query") {
    return Refusal{"invalid_request", "response_mode has to be query."};
  }
  if (!client.uses_codes) return Refusal{"unauthorized_client", "The client may not use authorization codes."};
  if (form.get("code_challenge_method") != "S256") {
    return Refusal{"invalid_request", "code_challenge_method has to be S256."};
  }
  if (!readChallenge(form.get("code_challenge"))) {
    return Refusal{"invalid_request", "code_challenge is missing, or no SHA-256 in base64url."};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Digest> challengeOf(std::string_view verifier) {
  const bool good =
      verifier.size() >= 43 && verifier.size() <= 128 && std::all_of(verifier.begin(), verifier.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
               std::string_view("-._~").find(c) != std::string_view::npos;
      });
  if (!good) return std::nullopt;
  return filter::digestOf(verifier);
}

std::variant<Grant, Refusal> grantFor(const Client& client, std::string_view scope, std::string_view resource) {
  Grant out = client.most;
  if (!isScope(scope) || !isWithin(scope, client.most.scope)) {
    return Refusal{"invalid_scope", "scope is malformed, or more than the client may have."};
  }
  if (!scope.empty()) out.scope = commonScope(out.scope, scope);
  if (resource.empty()) return out;
  const auto& known = out.audiences;
  if (std::find(known.begin(), known.end(), resource) == known.end()) {
    return Refusal{"invalid_target", "resource is none of the client's."};
  }
  out.audiences = {std::string(resource)};
  return out;
}

Authorization authorize(const Form& form, const Clients& clients, std::string_view subject,
                        std::chrono::seconds code_lifetime) {
  if (form.isRepeated("client_id") || form.isRepeated("redirect_uri")) {
    return Page{400, "The application's request is ambiguous."};
  }
  const Client* const client = clients.find(form.get("client_id"));
  if (client == nullptr) return Page{400, "The application is unknown."};
  const std::string_view redirect_uri = form.get("redirect_uri");
  if (!client->mayReturnTo(redirect_uri)) return Page{400, "The application's redirect_uri is not registered."};

  Return to{std::string(redirect_uri), {}};
  if (form.get("state").size() > kMaxState || form.isRepeated("state")) {
    return ReturnedError{std::move(to), {"invalid_request", "state stands there more than once, or is too long."}};
  }
  to.state = form.get("state");
  if (const auto problem = problemOf(form, *client)) return ReturnedError{std::move(to), *problem};
  auto grant = grantFor(*client, form.get("scope"), form.get("resource"));
  if (const auto* const refusal = std::get_if<Refusal>(&grant)) return ReturnedError{std::move(to), *refusal};
  if (subject.empty()) {
    if (form.get("prompt") != "none") return Page{401, "Nobody is logged in."};
    return ReturnedError{std::move(to), {"login_required", "Nobody is logged in."}};
  }
  // In JSON other bytes would all become the same character, and several users one.
  if (subject.size() > kMaxSubject || !base::isUtf8(subject)) {
    return ReturnedError{std::move(to), {"server_error", "The user's name is too long, or not UTF-8."}};
  }
  CodeQuestion question{std::get<Grant>(grant), to.redirect_uri, *readChallenge(form.get("code_challenge")),
                        code_lifetime};
  question.grant.subject = subject;
  return Granted{std::move(to), std::move(question)};
}

std::string returnUrl(const Return& to, std::string_view issuer, std::string_view name, std::string_view value,
                      std::string_view description) {
  std::string out = to.redirect_uri;
  const auto add = [&](std::string_view parameter, std::string_view text) {
    if (text.empty()) return;
    base::strAppend(out, out.find('?') == std::string::npos ? "?" : "&", parameter, "=", base::percentEncoded(text));
  };
  add(name, value);
  add("error_description", description);
  add("state", to.state);
  add("iss", issuer);
  return out;
}

}  // namespace sluice::extensions::http_filters::oauth2_server
