#include "source/extensions/filters/http/oauth2/id_token.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "source/base/secret.h"
#include "source/filter/identity.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

const stream::MetadataValue* claimOf(const jwt::Token& token, std::string_view name) {
  const auto found = std::find_if(token.claims.begin(), token.claims.end(),
                                  [name](const stream::MetadataField& field) { return field.name == name; });
  return found == token.claims.end() ? nullptr : &found->value;
}

// nullopt: it is no text, or not there.
std::optional<std::string_view> textOf(const jwt::Token& token, std::string_view name) {
  const stream::MetadataValue* const claim = claimOf(token, name);
  const auto* const text = claim == nullptr ? nullptr : std::get_if<std::string>(&claim->value);
  return text == nullptr ? std::nullopt : std::optional<std::string_view>(*text);
}

bool isFor(const jwt::Token& token, std::string_view client_id) {
  const bool named = std::find(token.audiences.begin(), token.audiences.end(), client_id) != token.audiences.end();
  const stream::MetadataValue* const party = claimOf(token, "azp");
  return named && (party == nullptr ? token.audiences.size() == 1 : textOf(token, "azp") == client_id);
}

std::vector<std::string> groupsOf(const jwt::Token& token) {
  std::vector<std::string> out;
  const stream::MetadataValue* const claim = claimOf(token, "groups");
  const auto* const list = claim == nullptr ? nullptr : std::get_if<stream::MetadataList>(&claim->value);
  if (list == nullptr) return out;
  for (const stream::MetadataValue& item : *list) {
    const auto* const text = std::get_if<std::string>(&item.value);
    if (text == nullptr) return {};
    out.push_back(*text);
  }
  return out;
}

}  // namespace

std::optional<jwt::Token> readIdToken(std::string_view text) {
  std::variant<jwt::Token, jwt::Failure> parsed = jwt::parse(std::string(text));
  auto* const token = std::get_if<jwt::Token>(&parsed);
  return token == nullptr ? std::nullopt : std::optional(std::move(*token));
}

std::string_view checkIdToken(const jwt::Token& token, const Expected& expected) {
  if (token.issuer.empty() || token.subject.empty()) return "oauth_id_token_malformed";
  if (!expected.issuer.empty() && token.issuer != expected.issuer) return "oauth_id_token_issuer";
  if (!isFor(token, expected.client_id)) return "oauth_id_token_audience";
  if (!token.expires || *token.expires + kClockSkew <= expected.now) return "oauth_id_token_expired";
  if (token.not_before && *token.not_before > expected.now + kClockSkew) return "oauth_id_token_not_yet_valid";
  if (!expected.nonce.empty() && !base::sameSecret(textOf(token, "nonce").value_or(""), expected.nonce)) {
    return "oauth_id_token_nonce";
  }
  const jwt::Token* const before = expected.before;
  if (before != nullptr && (before->issuer != token.issuer || before->subject != token.subject)) {
    return "oauth_id_token_of_another";
  }
  return {};
}

std::shared_ptr<const stream::MetadataFields> identityOf(jwt::Token token) {
  std::vector<std::string> groups = groupsOf(token);
  return filter::identityFields({.method = "oauth2",
                                 .subject = std::move(token.subject),
                                 .groups = std::move(groups),
                                 .claims = std::move(token.claims)});
}

}  // namespace sluice::extensions::http_filters::oauth2
