// Lets users in by name and password.
// (proto: envoy.extensions.filters.http.basic_auth.v3.BasicAuth)
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "source/extensions/filters/http/basic_auth/users.h"
#include "source/filter/http_filter.h"
#include "source/filter/token.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/worker/thread_pool.h"

namespace sluice::extensions::http_filters::basic_auth {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::shared_ptr<const UserSource> users;
  std::string forward_header;  // lower case; empty: the name is not told
  std::string header = "authorization";
  bool allow_missing = false;
  bool emit_metadata = false;
  std::shared_ptr<worker::ThreadPool> pool;  // for slow hashes
  observability::Counter allowed, denied, overflow;
};

using RouteSettings = route::RouteSettings<std::shared_ptr<const UserSource>>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  struct Check;

  filter::HookResult check(filter::Login login, filter::Context& context);
  void checked(const Check& check, filter::Context& context);
  void admit(const User& user, filter::Context& context) const;
  filter::Reply deny(std::string_view body, std::string_view details, filter::Context& context) const;
  filter::Reply denyLogin(filter::Context& context) const;

  const Settings& settings_;
  filter::ResumeToken token_;
  std::unique_ptr<worker::ThreadPool::Task> task_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::basic_auth
