// For what one request is sent again, how often and how soon: the policy of its route and what an internal caller adds.
// Only counts and compares; timers, places in breakers and hosts are its user's. Thread: the worker's.
//
// A caller says x-envoy-retry-on, x-envoy-retry-grpc-on, x-envoy-max-retries, x-envoy-retriable-status-codes,
// x-envoy-retriable-header-names, x-envoy-upstream-rq-per-try-timeout-ms and x-envoy-hedge-on-per-try-timeout (true or
// false). The session takes these away from all who are no internal callers; here they go off the head. Of a list of
// status codes or names the first 64 count.
// (Envoy: docs "Router", "HTTP header sanitizing")
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "source/http/headers.h"
#include "source/route/retry_policy.h"
#include "source/upstream/attempt_end.h"

namespace sluice::router {

class RetryRules {
 public:
  using milliseconds = std::chrono::milliseconds;

  // Whether the caller asks for any of it.
  static bool asked(const http::RequestHeaders& head);
  // `policy` outlives this; null: there is none. `hedges`: the route wants it.
  RetryRules(const route::RetryPolicy* policy, http::RequestHeaders& head, bool hedges = false);

  // Anything may be retried.
  bool any() const { return on_ != 0; }
  // A try that takes too long goes on, and another one is made beside it.
  bool hedges() const { return hedges_ && any(); }
  // An attempt failed before its answer. `began`: its head had been sent.
  bool coverFailure(const upstream::AttemptEnd& failure, bool began) const;
  // It was answered.
  bool coverAnswer(const http::ResponseHeaders& answer, const http::RequestHeaders& request) const;
  // One of the retries. False: there is none left.
  bool takeOne() {
    if (left_ == 0) return false;
    --left_;
    return true;
  }

  // How long to wait in front of the next retry: a random part of an interval that doubles each time, or what the
  // answer says and up to half as long again.
  struct Wait {
    milliseconds time{0};
    bool told = false;  // by the answer
  };
  // `answer`: null after a failure. `now`: of the wall clock.
  Wait nextWait(const http::ResponseHeaders* answer, std::chrono::system_clock::time_point now, uint64_t random);

  milliseconds perTryTimeout() const { return per_try_timeout_; }  // 0: none
  milliseconds perTryIdleTimeout() const { return policy_.per_try_idle_timeout; }
  const route::RetryPolicy& policy() const { return policy_; }

 private:
  // Of a caller.
  struct Lists {
    std::vector<uint32_t> status_codes;
    std::vector<std::string> header_names;
  };

  void addWordsOf(const http::RequestHeaders& head);
  void addListsOf(const http::RequestHeaders& head);
  static void removeWordsOf(http::RequestHeaders& head);
  milliseconds toldWait(const http::ResponseHeaders& answer, std::chrono::system_clock::time_point now) const;

  const route::RetryPolicy& policy_;
  uint32_t on_ = 0;
  uint32_t left_ = 1;
  bool hedges_;
  milliseconds per_try_timeout_;
  milliseconds interval_;         // of the next retry
  std::unique_ptr<Lists> lists_;  // null: the caller has none
};

}  // namespace sluice::router
