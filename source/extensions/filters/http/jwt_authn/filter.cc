#include "source/extensions/filters/http/jwt_authn/filter.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "source/base/text.h"
#include "source/extensions/filters/http/jwt_authn/extract.h"
#include "source/extensions/filters/http/jwt_authn/failures.h"
#include "source/stream/filter_state.h"

namespace sluice::extensions::http_filters::jwt_authn {
namespace {

using jwt::Failure;

constexpr std::string_view kMetadata = "envoy.filters.http.jwt_authn";

double wallSeconds(const filter::Context& context) {
  return std::chrono::duration<double>(context.wallNow().time_since_epoch()).count();
}

bool isPreflight(const http::RequestHeaders& headers) {
  return headers.method == "OPTIONS" && !headers.get(http::Name::kOrigin).value_or("").empty() &&
         !headers.get("access-control-request-method").value_or("").empty();
}

// Whether a grant speaks for its provider: the first does. Several tokens of one may not say different things.
bool speaks(const Walk& walk, const Grant& grant) {
  const auto& grants = walk.grants();
  const auto first = std::find_if(grants.begin(), grants.end(),
                                  [&](const Grant& one) { return one.token && one.provider == grant.provider; });
  return first != grants.end() && &*first == &grant;
}

// All that tokens and failures leave there. Null: nothing.
std::shared_ptr<const stream::MetadataFields> metadataOf(const Walk& walk) {
  const auto& grants = walk.grants();
  if (grants.size() == 1 && walk.failed().empty()) {
    return grants.front().token ? grants.front().token->metadata : nullptr;
  }
  stream::MetadataFields out;
  for (const Grant& grant : grants) {
    if (!speaks(walk, grant) || !grant.token->metadata) continue;
    out.insert(out.end(), grant.token->metadata->begin(), grant.token->metadata->end());
  }
  for (const auto& [provider, failure] : walk.failed()) {
    out.push_back({provider->failure_key,
                   {stream::MetadataFields{{"code", {std::to_string(envoyCode(failure))}},
                                           {"message", {std::string(envoyText(failure))}}}}});
  }
  return out.empty() ? nullptr : std::make_shared<const stream::MetadataFields>(std::move(out));
}

void addMetadata(const Walk& walk, filter::Context& context) {
  if (auto metadata = metadataOf(walk)) context.setMetadataShared(kMetadata, std::move(metadata));
}

// The target as the client sees it, without its query, which may hold a token.
std::string realmOf(const http::RequestHeaders& headers) {
  constexpr size_t kMaxPath = 256;
  const std::string_view path = headers.get(http::Name::kXEnvoyOriginalPath).value_or(headers.path);
  std::string out =
      base::strCat(headers.scheme, "://", headers.authority, path.substr(0, std::min(path.find('?'), kMaxPath)));
  // Neither may stand in a quoted text as it is.
  std::erase_if(out, [](char c) { return c == '"' || c == '\\'; });
  return out;
}

}  // namespace

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  context_ = &context;
  settings_.spoofed.removeFrom(headers);
  if (settings_.bypass_preflight && isPreflight(headers)) {
    context.count(settings_.stats.cors_preflight_bypassed);
    context.count(settings_.stats.allowed);
    return filter::Next{};
  }
  if (!findRequirement(headers, requirement_)) return refuseRoute();
  if (requirement_ == nullptr) {
    context.count(settings_.stats.allowed);
    return filter::Next{};
  }
  if (admitKnown(headers)) return filter::Next{};
  for (const bool last : {false, true}) {
    Walk walk(settings_, headers, context.worker(), context.info(), wallSeconds(context), last);
    const Failure failure = walk.meet(*requirement_);
    if (!last && !walk.wanted().empty()) {
      wait_ = std::make_unique<Wait>(*this, walk.wanted());
      if (!wait_->begin()) continue;
      wait_->token = context.resumeToken();
      wait_->timeout = context.calls().after(kMaxWait, [this] {
        wait_->unlink();
        goOn();
      });
      return filter::Pause{};
    }
    if (failure != Failure::kNone) return refuse(walk, failure);
    accept(walk);
    break;
  }
  return filter::Next{};
}

bool Filter::findRequirement(const http::RequestHeaders& headers, const Requirement*& out) const {
  const auto among = [](const auto& requirements, std::string_view name) {
    const auto at = requirements.find(name);
    return at == requirements.end() ? nullptr : &at->second;
  };
  if (const auto* of_route = context_->routeConfigAs<route::RouteSettings<RouteRequirement>>()) {
    const std::string& name = of_route->value.name;
    out = name.empty() ? nullptr : among(settings_.named, name);
    return name.empty() || out != nullptr;
  }
  const stream::StreamInfo& info = context_->info();
  const route::Table* const table = context_->route().table;
  const auto rule =
      settings_.rules.find(headers, table != nullptr && table->ignoresPathParameters(),
                           {.random = settings_.rules.byChance() ? context_->random() : 0, .info = &info});
  if (rule) {
    out = settings_.of_rules[*rule];
  } else if (!settings_.filter_state.empty() && info.filter_state) {
    const auto* object = info.filter_state->get<stream::FilterState::Object>(settings_.filter_state);
    out = object == nullptr ? nullptr : among(settings_.of_filter_state, object->text());
  }
  return true;
}

bool Filter::admitKnown(http::RequestHeaders& headers) {
  const Requirement* first = requirement_;  // of several it is met by the first that is
  while (first->kind == Requirement::Kind::kAny) first = &first->parts.front();
  if (first->kind != Requirement::Kind::kProvider) return false;
  const Provider& provider = *first->provider;
  const std::optional<OnlyToken> only = findOnlyToken(headers, provider);
  if (!only) return false;
  Verifier verifier(settings_, context_->worker(), context_->info(), wallSeconds(*context_));
  const ReadToken* const known = verifier.findKnown(provider, only->text, first->audiences);
  if (known == nullptr) return false;
  context_->count(settings_.stats.allowed);
  if (known->metadata) context_->setMetadataShared(kMetadata, known->metadata);
  if (!provider.forward) removeToken(headers, *only);
  for (const auto& [name, value] : known->headers) headers.add(name, value);
  context_->setIdentity(known->identity);
  if (provider.clear_route) context_->rematchRoute();
  return true;
}

bool Filter::Wait::begin() {
  while (!wanted.empty()) {
    const KeySource& keys = *wanted.back();
    wanted.pop_back();
    if (keys.wait(filter.context_->worker(), *this)) return true;
  }
  return false;
}

void Filter::Wait::onFetched() {
  if (begin()) return;
  timeout.reset();
  filter.goOn();
}

void Filter::goOn() {
  filter::ResumeToken& token = wait_->token;
  if (!token) return;
  Walk walk(settings_, context_->request(), context_->worker(), context_->info(), wallSeconds(*context_), true);
  const Failure failure = walk.meet(*requirement_);
  if (failure != Failure::kNone) {
    token.reply(refuse(walk, failure));
  } else {
    accept(walk);
    token.resume();
  }
}

void Filter::accept(const Walk& walk) {
  context_->count(settings_.stats.allowed);
  addMetadata(walk, *context_);
  http::RequestHeaders& headers = context_->request();
  bool known = false, clear = false;
  for (const Grant& grant : walk.grants()) {
    if (grant.status_header != nullptr) headers.set(*grant.status_header, "false");
    if (!grant.token) continue;
    if (!grant.provider->forward) removeTokens(headers, grant.provider->locations);
    clear |= grant.provider->clear_route;
    if (!speaks(walk, grant)) continue;
    for (const auto& [name, value] : grant.token->headers) headers.add(name, value);
    if (grant.status_header == nullptr && !std::exchange(known, true)) context_->setIdentity(grant.token->identity);
  }
  if (clear) context_->rematchRoute();
}

filter::Reply Filter::refuse(const Walk& walk, Failure failure) {
  context_->count(settings_.stats.denied);
  addMetadata(walk, *context_);
  filter::Reply out{statusOf(failure), "", detailsOf(failure)};
  if (settings_.strip_failures) return out;
  out.body = envoyText(failure);
  if (out.status == 503) return out;
  out.headers.emplace_back("www-authenticate",
                           base::strCat("Bearer realm=\"", realmOf(context_->request()), "\"",
                                        failure == Failure::kMissing ? "" : ", error=\"invalid_token\""));
  return out;
}

filter::Reply Filter::refuseRoute() {
  context_->count(settings_.stats.denied);
  const std::string& name = context_->routeConfigAs<route::RouteSettings<RouteRequirement>>()->value.name;
  std::string why =
      base::strCat("Wrong requirement_name: ", name, ". It should be one of [", settings_.known_names, "]");
  filter::Reply out{403, settings_.strip_failures ? "" : base::strCat("Failed JWT authentication: ", why)};
  std::replace(why.begin(), why.end(), ' ', '_');
  out.details = context_->arena().concat("jwt_authn_access_denied{", std::string_view(why), "}");
  return out;
}

}  // namespace sluice::extensions::http_filters::jwt_authn
