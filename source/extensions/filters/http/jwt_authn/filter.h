// Lets requests through that carry the signed tokens which their rule asks for, and leaves what the tokens say in
// headers and dynamic metadata. (proto: envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication)
//
// What a token alone may say is removed from the request first, whatever becomes of it. A request whose token names a
// key that is not known waits for one fetch of each provider that may have it, kMaxWait at most.
#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include "source/extensions/filters/http/jwt_authn/requirement.h"
#include "source/extensions/filters/http/jwt_authn/settings.h"
#include "source/filter/calls.h"
#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "source/jwt/remote_keys.h"

namespace sluice::extensions::http_filters::jwt_authn {

constexpr std::chrono::seconds kMaxWait{5};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  // For keys that are to come, as few requests do.
  struct Wait final : jwt::KeysWaiter {
    Wait(Filter& filter, KeySources wanted) : filter(filter), wanted(std::move(wanted)) {}
    // For one of the keys that are wanted. False: there are no others to come.
    bool begin();
    void onFetched() override;

    Filter& filter;
    KeySources wanted;  // that are still to be waited for
    filter::ResumeToken token;
    std::unique_ptr<filter::Call> timeout;
  };

  // Of this request. False: its route names one that is not there. `out` null: nothing is asked for.
  bool findRequirement(const http::RequestHeaders& headers, const Requirement*& out) const;
  // What accept() would do with the one token of a request if it is known: most are. False: nothing is done, and it
  // depends on more.
  bool admitKnown(http::RequestHeaders& headers);
  // With the keys that there are.
  void goOn();
  // What the walk has found becomes of the request.
  void accept(const Walk& walk);
  filter::Reply refuse(const Walk& walk, jwt::Failure failure);
  filter::Reply refuseRoute();

  const Settings& settings_;
  filter::Context* context_ = nullptr;
  const Requirement* requirement_ = nullptr;
  std::unique_ptr<Wait> wait_;  // null: for none
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::jwt_authn
