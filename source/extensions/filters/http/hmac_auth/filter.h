// Lets requests of consumers in that are signed with one of their keys.
// (proto: sluice.extensions.filters.http.hmac_auth.v1.HmacAuth)
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "source/extensions/filters/http/hmac_auth/authorization_signature.h"
#include "source/extensions/filters/http/hmac_auth/failure.h"
#include "source/extensions/filters/http/hmac_auth/message_signature.h"
#include "source/extensions/filters/http/hmac_auth/signed_request.h"
#include "source/filter/credentials/consumer_gate.h"
#include "source/filter/http_filter.h"

namespace sluice::extensions::http_filters::hmac_auth {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  filter::ConsumerGate gate;
  std::optional<MessageRules> message;
  std::optional<AuthorizationRules> authorization;
  bool hide_credentials = false;
  size_t max_body = 1 << 20;  // bytes
  std::vector<std::pair<std::string, std::string>> challenges;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestBody(filter::Body& body, filter::Context& context) override;

 private:
  // Who has signed, until the body has come.
  struct Waiting {
    std::shared_ptr<const filter::Consumers> consumers;  // keeps `known`
    const filter::KnownConsumer& known;
    BodyDigest digest;
  };

  std::variant<SignedRequest, Failure> read(const http::RequestHeaders& headers, bool has_body,
                                            const filter::Consumers& consumers, filter::Context& context) const;
  filter::HookResult admit(const filter::KnownConsumer& known, http::RequestHeaders& headers,
                           filter::Context& context) const;
  void hide(http::RequestHeaders& headers) const;
  filter::Reply refuse(Failure failure, filter::Context& context) const;

  const Settings& settings_;
  std::optional<Waiting> waiting_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::hmac_auth
