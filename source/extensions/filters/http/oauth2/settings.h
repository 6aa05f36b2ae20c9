// Compiled configuration; immutable, shared by all streams and workers.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/extensions/filters/http/oauth2/client.h"
#include "source/extensions/filters/http/oauth2/cookies.h"
#include "source/extensions/filters/http/oauth2/login.h"
#include "source/extensions/filters/http/oauth2/renewals.h"
#include "source/extensions/filters/http/oauth2/seal.h"
#include "source/match/header.h"
#include "source/match/string.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/stream/formatter.h"
#include "source/worker/exchanged.h"
#include "source/worker/local.h"
#include "source/worker/services.h"
#include "source/worker/thread_pool.h"

namespace sluice::extensions::http_filters::oauth2 {

using Format = std::optional<stream::TextFormatter>;
using HeaderMatchers = std::vector<match::HeaderMatcher>;
using Secret = std::shared_ptr<const worker::Exchanged<std::string>>;

// A Sealer of each worker, of the secret as it stands now.
class Keys {
 public:
  Keys(Secret secret, std::string client, const worker::LocalSlots& slots)
      : secret_(std::move(secret)),
        client_(std::move(client)),
        known_(slots, [](worker::WorkerServices&) { return std::make_unique<Known>(); }) {}

  // Null: the secret has not come, or is too short. Stays valid until this worker asks again.
  std::shared_ptr<const Sealer> get(worker::WorkerServices& worker) const {
    const std::shared_ptr<const std::string>& secret = secret_->get(worker);
    if (secret == nullptr || secret->size() < Sealer::kMinSecret) return nullptr;
    Known& known = known_.get(worker);
    if (known.secret != secret) {
      known.secret = secret;
      known.sealer = std::make_shared<const Sealer>(*secret, client_);
    }
    return known.sealer;
  }

 private:
  struct Known {
    std::shared_ptr<const std::string> secret;
    std::shared_ptr<const Sealer> sealer;
  };

  const Secret secret_;
  const std::string client_;
  const worker::WorkerLocal<Known> known_;
};

struct Config {
  Client client;
  Retries retries;
  Secret token_secret;
  std::shared_ptr<worker::ThreadPool> signers;  // null: the client signs nothing
  std::unique_ptr<const Keys> keys;
  std::shared_ptr<const Renewals> renewals;  // null: sessions are not renewed

  std::string authorization_url;  // ends in "?" or "&"; with what is the same for all logins
  bool openid = false;            // an ID token has to come
  Format redirect_uri, original_uri;
  match::StringMatcher callback_path, signout_path;
  std::vector<std::string> allowed_domains;
  std::string end_session_url;  // ends in "?" or "&"; empty: none
  Format post_logout_uri;       // nullopt: the beginning of the site, or it is not told
  bool tell_post_logout = true;

  HeaderMatchers pass_through, allow_failed, deny_redirect;
  CookieRules cookies;
  LoginTimes login_times;
  bool encrypted = true;
  bool keep_access_token = true, keep_id_token = true, keep_refresh_token = true;
  std::chrono::seconds default_lifetime{3600}, refresh_lifetime{7 * 24 * 3600};
  bool forward_bearer = false, preserve_authorization = false;
  std::string id_token_header;  // lower case; empty: hosts do not get it
};
using ConfigPtr = std::shared_ptr<const Config>;

struct Stats {
  observability::Counter failure, success, passthrough, unauthorized, refresh_success, refresh_failure;
};

struct Settings {
  ConfigPtr config;  // null: only routes say what is asked of their requests
  Stats stats;
};
using RouteSettings = route::RouteSettings<ConfigPtr>;

}  // namespace sluice::extensions::http_filters::oauth2
