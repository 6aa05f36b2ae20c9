#include "source/extensions/filters/http/oauth2_server/access_token.h"

#include "source/base/base64_url.h"
#include "source/base/text.h"
#include "source/extensions/filters/http/oauth2_server/json_object.h"

namespace sluice::extensions::http_filters::oauth2_server {

std::string signedToken(const Tokens& tokens, std::string_view issuer, const SigningKey& key) {
  const Grant& grant = tokens.grant;
  const std::string head =
      JsonObject().text("alg", nameOf(key.algorithm())).text("typ", "at+jwt").text("kid", key.id()).end();
  JsonObject claims;
  claims.text("iss", issuer).text("sub", grant.subject.empty() ? grant.client : grant.subject);
  if (grant.audiences.size() == 1) {
    claims.text("aud", grant.audiences.front());
  } else {
    claims.texts("aud", grant.audiences);
  }
  claims.text("client_id", grant.client)
      .textIfAny("scope", grant.scope)
      .number("iat", tokens.issued.time_since_epoch().count())
      .number("exp", tokens.expires.time_since_epoch().count())
      .text("jti", tokens.id);
  if (!tokens.bound.empty()) claims.json("cnf", JsonObject().text("x5t#S256", tokens.bound).end());
  const std::string text = base::strCat(base::toBase64Url(head), ".", base::toBase64Url(claims.end()));
  return base::strCat(text, ".", base::toBase64Url(key.sign(text)));
}

std::string keySetOf(const std::vector<KeyRecord>& keys) {
  std::string out;
  for (const KeyRecord& record : keys) {
    base::strAppend(out, out.empty() ? "" : ",", "{", record.key->publicJwk(), R"(,"alg":")",
                    nameOf(record.key->algorithm()), R"(","kid":")", record.key->id(), R"(","use":"sig"})");
  }
  return base::strCat(R"({"keys":[)", out, "]}");
}

}  // namespace sluice::extensions::http_filters::oauth2_server
