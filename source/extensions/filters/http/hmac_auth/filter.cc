#include "source/extensions/filters/http/hmac_auth/filter.h"

#include <algorithm>
#include <chrono>
#include <string_view>

#include "source/filter/context.h"
#include "source/http/rules.h"

namespace sluice::extensions::http_filters::hmac_auth {
namespace {

// What a request of nobody's is tried with, so that it takes as long.
constexpr std::string_view kNobodysSecret = "a secret of as many bytes as usual";

bool hasBody(const http::RequestHeaders& headers, const filter::Context& context) {
  return !context.requestHeadersOnly() && !headers.wantsTunnel() && http::lengthOf(headers) != uint64_t{0};
}

// nullopt: who is known has signed it.
std::optional<Failure> judge(const filter::KnownConsumer* known, const SignedRequest& request) {
  if (const auto* const key = known == nullptr ? nullptr : known->publicKey()) {
    if (!key->takes(request.algorithm)) return Failure::kAlgorithm;
    if (!key->verifies(request.algorithm, request.text, request.signature)) return Failure::kWrong;
    return std::nullopt;
  }
  const std::string_view secret = known == nullptr ? kNobodysSecret : known->secret();
  const bool verified = verifies(request.hash.value_or(Hash::kSha256), secret, request.text, request.signature);
  if (known == nullptr) return Failure::kUnknownKey;
  if (!request.hash) return Failure::kAlgorithm;
  return verified ? std::nullopt : std::optional(Failure::kWrong);
}

bool isAuthorization(const http::Field& field) {
  return std::find(kAuthorizationFields.begin(), kAuthorizationFields.end(), field.name) !=
             kAuthorizationFields.end() &&
         hmacParameters(field.value).has_value();
}

}  // namespace

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  const std::shared_ptr<const filter::Consumers>& consumers = settings_.gate.consumers(context);
  const bool has_body = hasBody(headers, context);
  auto read_request = read(headers, has_body, *consumers, context);
  if (const auto* const failure = std::get_if<Failure>(&read_request)) {
    if (*failure != Failure::kMissing || consumers->anonymous() == nullptr) return refuse(*failure, context);
    return settings_.gate.admitAnonymous(detailsOf(*failure), headers, context);
  }
  auto& request = std::get<SignedRequest>(read_request);
  const auto* const known = consumers->find(filter::CredentialKind::kSignature, request.key_id);
  if (const auto failure = judge(known, request)) return refuse(*failure, context);

  if (!request.digest) return admit(*known, headers, context);
  if (has_body) {
    waiting_.emplace(Waiting{consumers, *known, *std::move(request.digest)});
    return filter::Collect{settings_.max_body};
  }
  return request.digest->matches("") ? admit(*known, headers, context) : refuse(Failure::kWrongDigest, context);
}

filter::HookResult Filter::onRequestBody(filter::Body& body, filter::Context& context) {
  if (!waiting_->digest.matches(body.bytes())) return refuse(Failure::kWrongDigest, context);
  return admit(waiting_->known, context.request(), context);
}

std::variant<SignedRequest, Failure> Filter::read(const http::RequestHeaders& headers, bool has_body,
                                                  const filter::Consumers& consumers, filter::Context& context) const {
  const auto now = std::chrono::floor<std::chrono::seconds>(context.wallNow());
  std::variant<SignedRequest, Failure> out = Failure::kMissing;
  if (settings_.message) {
    out = readMessageSignature(headers, has_body, *settings_.message, now, [&consumers](std::string_view id) {
      return consumers.find(filter::CredentialKind::kSignature, id) != nullptr;
    });
  }
  const auto* const failure = std::get_if<Failure>(&out);
  if (settings_.authorization && failure != nullptr && *failure == Failure::kMissing) {
    out = readAuthorizationSignature(headers, has_body, *settings_.authorization, now);
  }
  return out;
}

filter::HookResult Filter::admit(const filter::KnownConsumer& known, http::RequestHeaders& headers,
                                 filter::Context& context) const {
  filter::HookResult result = settings_.gate.admit(known, headers, context);
  if (result.kind() == filter::HookResult::Kind::kReply) {
    if (result.reply().status == 401) result.reply().headers = settings_.challenges;
  } else if (settings_.hide_credentials) {
    hide(headers);
  }
  return result;
}

void Filter::hide(http::RequestHeaders& headers) const {
  headers.removeIf([this](const http::Field& field) {
    if (settings_.message && (field.name == kSignature || field.name == kSignatureInput)) return true;
    return settings_.authorization && isAuthorization(field);
  });
}

filter::Reply Filter::refuse(Failure failure, filter::Context& context) const {
  filter::Reply reply = settings_.gate.unauthorized(detailsOf(failure), context);
  const http::RequestHeaders& headers = context.request();
  const bool is_message = settings_.message && (headers.get(kSignature) || headers.get(kSignatureInput));
  if (settings_.authorization && !is_message) reply.body = textOf(failure);
  reply.headers = settings_.challenges;
  return reply;
}

}  // namespace sluice::extensions::http_filters::hmac_auth
