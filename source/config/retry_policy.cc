#include "source/config/retry_policy.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/base/text.h"
#include "source/config/rate_limits.h"
#include "source/config/values.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::config::route::v3;
namespace on = route::retry_on;
using std::chrono::milliseconds;

constexpr int64_t kMostRepicks = 1000;

class PolicyCompiler {
 public:
  PolicyCompiler(const v3::RetryPolicy& config, const Context& context, Regexes& regexes)
      : config_(config), context_(context), regexes_(regexes), out_(std::make_shared<route::RetryPolicy>()) {}

  std::shared_ptr<const route::RetryPolicy> compile(const RetryExtensions& extensions) {
    conditions();
    limits();
    backOff();
    resetHeaders();
    hosts(extensions.host_predicate);
    priority(extensions.priority);
    options();
    return out_;
  }

 private:
  void conditions() {
    std::vector<std::string_view> unknown;
    out_->on = route::parseRetryOn(config_.retry_on(), &unknown);
    for (const std::string_view word : unknown) {
      context_.child("retry_on")
          .warn(base::strCat(
              "\"", word, "\" is no condition and says nothing; conditions are 5xx, gateway-error, reset, ",
              "reset-before-request, connect-failure, envoy-ratelimited, retriable-4xx, refused-stream, ",
              "retriable-status-codes, retriable-headers, and cancelled, deadline-exceeded, internal, ",
              "resource-exhausted, unavailable of gRPC"));
    }
    out_->status_codes.assign(config_.retriable_status_codes().begin(), config_.retriable_status_codes().end());
    matchers(config_.retriable_headers(), "retriable_headers", out_->headers);
    matchers(config_.retriable_request_headers(), "retriable_request_headers", out_->request_headers);
    warnIfUnused(on::kRetriableStatusCodes, !out_->status_codes.empty(), "retriable_status_codes",
                 "retriable-status-codes");
    warnIfUnused(on::kRetriableHeaders, !out_->headers.empty(), "retriable_headers", "retriable-headers");
  }

  template <typename Matchers>
  void matchers(const Matchers& configs, std::string_view field, std::vector<match::HeaderMatcher>& out) {
    for (int i = 0; i < configs.size(); ++i) {
      out.push_back(compileHeaderMatcher(configs.Get(i), context_.child(field, static_cast<size_t>(i)), regexes_));
      out.back().setName(out.back().name);
    }
  }

  void warnIfUnused(uint32_t bit, bool set, const char* field, const char* word) {
    if (!set || (out_->on & bit) != 0) return;
    context_.child(field).warn(absl::StrCat("does nothing unless retry_on has ", word, "; add the word"));
  }

  void limits() {
    if (config_.has_num_retries()) out_->num_retries = config_.num_retries().value();
    out_->per_try_timeout = compileMilliseconds(config_.per_try_timeout());
    out_->per_try_idle_timeout = compileMilliseconds(config_.per_try_idle_timeout());
  }

  void backOff() {
    if (!config_.has_retry_back_off()) return;
    const v3::RetryPolicy::RetryBackOff& back_off = config_.retry_back_off();
    const Context at = context_.child("retry_back_off");
    out_->base_interval = std::max(compileMilliseconds(back_off.base_interval()), milliseconds(1));
    out_->max_interval = out_->base_interval * route::RetryPolicy::kMaxIntervalFactor;
    if (!back_off.has_max_interval()) return;
    out_->max_interval = std::max(compileMilliseconds(back_off.max_interval()), milliseconds(1));
    if (out_->max_interval < out_->base_interval) {
      at.child("max_interval").error("is below base_interval; raise it, or remove it for 10 times base_interval");
    }
  }

  void resetHeaders() {
    const v3::RetryPolicy::RateLimitedRetryBackOff& limited = config_.rate_limited_retry_back_off();
    for (const v3::RetryPolicy::ResetHeader& header : limited.reset_headers()) {
      out_->reset_headers.push_back(
          {absl::AsciiStrToLower(header.name()), header.format() == v3::RetryPolicy::UNIX_TIMESTAMP});
    }
    if (limited.has_max_interval()) out_->max_reset_interval = compileMilliseconds(limited.max_interval());
  }

  void hosts(const CompileHostPredicate& compile_predicate) {
    for (int i = 0; i < config_.retry_host_predicate_size(); ++i) {
      const Context at = context_.child("retry_host_predicate", static_cast<size_t>(i)).child("typed_config");
      if (!compile_predicate) {
        at.error("no extension that passes hosts over is known here; remove it");
        continue;
      }
      auto predicate = compile_predicate(config_.retry_host_predicate(i).typed_config(), at);
      if (predicate) out_->host_predicates.push_back(std::move(predicate));
    }
    const int64_t repicks = config_.host_selection_retry_max_attempts();
    if (repicks > 0) out_->host_repicks = static_cast<uint32_t>(std::min(repicks, kMostRepicks));
  }

  void priority(const CompileRetryPriority& compile_priority) {
    if (!config_.has_retry_priority()) return;
    const Context at = context_.child("retry_priority").child("typed_config");
    if (!compile_priority) return at.error("no extension that chooses among priorities is known here; remove it");
    out_->priority = compile_priority(config_.retry_priority().typed_config(), at);
  }

  void options() {
    for (int i = 0; i < config_.retry_options_predicates_size(); ++i) {
      context_.child("retry_options_predicates", static_cast<size_t>(i))
          .error(
              "no extension that changes the socket options of a retry is known here, and Envoy's own server has none "
              "either; remove it, and choose hosts by retry_host_predicate");
    }
  }

  const v3::RetryPolicy& config_;
  const Context& context_;
  Regexes& regexes_;
  const std::shared_ptr<route::RetryPolicy> out_;
};

}  // namespace

std::shared_ptr<const route::RetryPolicy> compileRetryPolicy(const v3::RetryPolicy& config, const Context& context,
                                                             Regexes& regexes, const RetryExtensions& extensions) {
  return PolicyCompiler(config, context, regexes).compile(extensions);
}

void checkTryTimeout(const route::RetryPolicy& policy, milliseconds timeout, const Context& context) {
  if (timeout.count() == 0 || policy.per_try_timeout < timeout) return;
  context.warn(absl::StrCat("per_try_timeout (", policy.per_try_timeout.count(),
                            " ms) is not below the timeout of the route (", timeout.count(),
                            " ms), so no try is ended by it; lower it, or raise timeout"));
}

bool compileHedgePolicy(const v3::HedgePolicy& config, const Context& context) {
  if (config.has_initial_requests() && config.initial_requests().value() != 1) {
    context.child("initial_requests")
        .error(absl::StrCat("is ", config.initial_requests().value(),
                            ", but a request begins with one try (Envoy does not look at this field); set 1 or remove "
                            "it, and hedge by hedge_on_per_try_timeout"));
  }
  if (config.additional_request_chance().numerator() != 0) {
    context.child("additional_request_chance")
        .error(
            "is not 0, but no try is made by chance (Envoy does not look at this field); remove it, and hedge by "
            "hedge_on_per_try_timeout");
  }
  return config.hedge_on_per_try_timeout();
}

void checkHedging(const route::RetryPolicy* policy, milliseconds timeout, const Context& context) {
  const Context at = context.child("hedge_on_per_try_timeout");
  if (policy == nullptr || policy->on == 0 || policy->num_retries == 0) {
    return at.warn(
        "does nothing without a retry_policy that retries something: a further try is a retry; add one with retry_on "
        "and num_retries");
  }
  if (policy->per_try_timeout.count() == 0 && policy->per_try_idle_timeout.count() == 0) {
    return at.warn(
        "does nothing without per_try_timeout, which says when a further try is made; add it to retry_policy");
  }
  if (timeout.count() == 0) {
    at.warn(
        "a try that takes too long goes on, so without a timeout of the route nothing ends the last one; set timeout");
  }
}

}  // namespace sluice::config
