#include "source/extensions/filters/http/oauth2/client.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/escaping.h"
#include "source/base/ascii.h"
#include "source/base/percent.h"
#include "source/base/text.h"
#include "source/extensions/filters/http/oauth2/assertion.h"
#include "source/stream/strict_json.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

using stream::MetadataFields;
using stream::MetadataValue;

const MetadataValue* memberOf(const MetadataFields& fields, std::string_view name) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.name == name; });
  return found == fields.end() || std::holds_alternative<std::monostate>(found->value.value) ? nullptr : &found->value;
}

// A token (visible ASCII), or nothing where it is missing. False: it is something else.
bool readToken(const MetadataFields& answer, std::string_view name, std::string& out) {
  const MetadataValue* const member = memberOf(answer, name);
  if (member == nullptr) return true;
  const auto* const text = std::get_if<std::string>(&member->value);
  if (text == nullptr || text->size() > kMaxToken) return false;
  out = *text;
  return std::all_of(out.begin(), out.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

bool readLifetime(const MetadataFields& answer, std::optional<std::chrono::seconds>& out) {
  const MetadataValue* const member = memberOf(answer, "expires_in");
  if (member == nullptr) return true;
  const auto* const seconds = std::get_if<double>(&member->value);
  if (seconds == nullptr || !(*seconds >= 1)) return false;
  const double most = static_cast<double>(std::chrono::seconds(kMaxLifetime).count());
  out = std::chrono::seconds(static_cast<int64_t>(std::min(*seconds, most)));
  return true;
}

bool isBearer(const MetadataFields& answer) {
  const MetadataValue* const member = memberOf(answer, "token_type");
  if (member == nullptr) return true;  // some do not say it
  const auto* const type = std::get_if<std::string>(&member->value);
  return type != nullptr && base::lowered(*type) == "bearer";
}

}  // namespace

std::string formEncoded(std::string_view text) {
  std::string out = base::percentEncoded(text, " ");
  std::replace(out.begin(), out.end(), ' ', '+');
  return out;
}

std::string codeGrant(std::string_view code, std::string_view verifier, std::string_view redirect_uri) {
  return base::strCat("grant_type=authorization_code&code=", formEncoded(code),
                      "&redirect_uri=", formEncoded(redirect_uri), "&code_verifier=", formEncoded(verifier));
}

std::string refreshGrant(std::string_view refresh_token) {
  return base::strCat("grant_type=refresh_token&refresh_token=", formEncoded(refresh_token));
}

std::optional<worker::HttpCallRequest> tokenRequest(const Client& client, std::string grant, std::string_view secret,
                                                    int64_t now) {
  worker::HttpCallRequest out = client.endpoint;
  out.method = "POST";
  out.max_response_body = kMaxAnswer;
  out.headers.emplace_back("content-type", "application/x-www-form-urlencoded");
  out.headers.emplace_back("accept", "application/json");
  out.body = std::move(grant);
  if (client.auth == AuthType::kBasic) {
    const std::string pair = base::strCat(formEncoded(client.id), ":", formEncoded(secret));
    out.headers.emplace_back("authorization", base::strCat("Basic ", absl::Base64Escape(pair)));
    return out;
  }
  base::strAppend(out.body, "&client_id=", formEncoded(client.id));
  if (client.auth == AuthType::kBody) base::strAppend(out.body, "&client_secret=", formEncoded(secret));
  if (client.auth == AuthType::kPrivateKey) {
    const std::optional<std::string> assertion = clientAssertion(client, secret, now);
    if (!assertion) return std::nullopt;
    base::strAppend(out.body, "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
                    "&client_assertion=", *assertion);
  }
  return out;
}

TokenAnswer readTokenAnswer(const worker::HttpCallResponse& response) {
  if (response.status == 0) return TokenFailure{"oauth_token_endpoint_unreachable", true};
  if (response.status >= 500 || response.status == 429) return TokenFailure{"oauth_token_endpoint_failed", true};
  if (response.status != 200) return TokenFailure{"oauth_grant_refused"};
  const std::optional<MetadataFields> answer = stream::readStrictJson(response.body);
  Tokens out;
  const bool read = answer && readToken(*answer, "access_token", out.access_token) && !out.access_token.empty() &&
                    readToken(*answer, "id_token", out.id_token) &&
                    readToken(*answer, "refresh_token", out.refresh_token) && readLifetime(*answer, out.expires_in);
  if (!read) return TokenFailure{"oauth_token_answer_malformed"};
  if (!isBearer(*answer)) return TokenFailure{"oauth_token_type_unknown"};
  return out;
}

}  // namespace sluice::extensions::http_filters::oauth2
