// Lets users of a directory in by name and password.
// (proto: sluice.extensions.filters.http.ldap_auth.v1.LdapAuth)
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "source/extensions/filters/http/ldap_auth/logins.h"
#include "source/filter/credentials/group_access.h"
#include "source/filter/http_filter.h"
#include "source/filter/token.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/worker/exchanged.h"

namespace sluice::extensions::http_filters::ldap_auth {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::shared_ptr<const Logins> logins;
  std::shared_ptr<const worker::Exchanged<std::string>> secret;  // the service's password; null: it has none
  std::string scheme = "Basic";
  std::string header = "authorization";
  std::string challenge;       // of refusals
  std::string forward_header;  // lower case; empty: the name is not told
  bool hide_credentials = false;
  bool allow_missing = false;
  filter::GroupAccess everybody;
  observability::Counter allowed, unauthorized, forbidden, error, unavailable, overflow;
};

using RouteSettings = route::RouteSettings<filter::GroupAccess>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  filter::HookResult judge(const filter::Login& login, filter::Context& context);
  void judged(const Verdict& verdict, filter::Context& context);
  filter::HookResult admit(const Account* account, filter::Context& context) const;
  filter::Reply unauthorized(std::string_view details, filter::Context& context) const;
  filter::Reply unavailable(observability::Counter counter, std::string_view details, filter::Context& context) const;

  const Settings& settings_;
  filter::ResumeToken token_;
  std::unique_ptr<Logins::Wait> wait_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::ldap_auth
