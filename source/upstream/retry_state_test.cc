#include "source/upstream/retry_state.h"

#include <catch2/catch.hpp>

namespace sluice::upstream {
namespace {

using cluster::Resource;
using cluster::RoutingPriority;
using http::ResetReason;

struct RetryTest {
  std::optional<RetryState::Repeat> after(AttemptEnd end,
                                          RetryState::Request request = {.idempotent = true, .at_hand = true}) {
    return state->after(end, request);
  }
  static AttemptEnd reset(ResetReason reason, bool maybe_unseen = false) {
    return {.kind = AttemptEnd::Kind::kReset, .reset = reason, .maybe_unseen = maybe_unseen};
  }
  uint32_t retries(RoutingPriority priority = RoutingPriority::kDefault) const {
    return breakers->used(Resource::kRetries, priority);
  }

  cluster::ThresholdsByPriority thresholds;
  std::shared_ptr<cluster::Breakers> breakers = std::make_shared<cluster::Breakers>(thresholds);
  std::optional<RetryState> state{std::in_place};
};

constexpr RetryState::Request kPost{.idempotent = false, .at_hand = true};
constexpr RetryState::Request kHalfGone{.idempotent = true, .at_hand = false};

TEST_CASE("what the host cannot have processed is sent again whatever its method") {
  RetryTest t;
  const auto how = t.after(t.reset(ResetReason::kUnprocessed), kPost);
  REQUIRE(how);
  CHECK_FALSE(how->fresh);
  CHECK(t.retries() == 0);
}

TEST_CASE("what the host says it refused is sent again only if it is idempotent") {
  RetryTest t;
  CHECK_FALSE(t.after(t.reset(ResetReason::kRefused), kPost));
  CHECK(t.after(t.reset(ResetReason::kRefused)));
}

TEST_CASE("refusals are followed three times") {
  RetryTest t;
  for (const ResetReason reason : {ResetReason::kRefused, ResetReason::kUnprocessed, ResetReason::kRefused}) {
    CHECK(t.after(t.reset(reason)));
  }
  CHECK_FALSE(t.after(t.reset(ResetReason::kUnprocessed)));
}

TEST_CASE("what was lost unseen on a used connection is sent once more on a fresh one") {
  RetryTest t;
  CHECK_FALSE(t.after(t.reset(ResetReason::kConnectionEnded, true), kPost));
  const auto how = t.after(t.reset(ResetReason::kConnectionEnded, true));
  REQUIRE(how);
  CHECK(how->fresh);
  CHECK_FALSE(t.after(t.reset(ResetReason::kConnectionEnded, true)));
}

TEST_CASE("what the host may have seen is not sent again") {
  RetryTest t;
  CHECK_FALSE(t.after(t.reset(ResetReason::kConnectionEnded, false)));
}

TEST_CASE("a request of which something is gone is not sent again") {
  RetryTest t;
  CHECK_FALSE(t.after(t.reset(ResetReason::kUnprocessed), kHalfGone));
  CHECK_FALSE(t.after(t.reset(ResetReason::kConnectionEnded, true), kHalfGone));
}

TEST_CASE("other ends are final") {
  RetryTest t;
  for (const ResetReason reason : {ResetReason::kRemote, ResetReason::kProtocolError, ResetReason::kConnectError}) {
    CHECK_FALSE(t.after(t.reset(reason, true)));
  }
  CHECK_FALSE(t.after({.kind = AttemptEnd::Kind::kNoConnection}));
  CHECK_FALSE(t.after({.kind = AttemptEnd::Kind::kTimeout}));
}

TEST_CASE("a policy's retries hold one place in the breaker of retries until the request is over") {
  RetryTest t;
  CHECK(t.state->takePlace(RoutingPriority::kHigh, t.breakers));
  CHECK(t.state->takePlace(RoutingPriority::kHigh, t.breakers));
  CHECK(t.retries(RoutingPriority::kHigh) == 1);
  CHECK(t.retries() == 0);
  t.state.reset();
  CHECK(t.retries(RoutingPriority::kHigh) == 0);
}

TEST_CASE("a request that is answered has no place among retries any more, and takes none twice") {
  RetryTest t;
  REQUIRE(t.state->takePlace(RoutingPriority::kDefault, t.breakers));

  t.state->leavePlace();
  CHECK(t.retries() == 0);
  t.state->leavePlace();
  t.state.reset();

  CHECK(t.retries() == 0);
}

TEST_CASE("what was lost or refused is sent again though the breaker of retries is open, a policy's retry is not") {
  RetryTest t;
  t.thresholds[0].max_retries = 0;
  t.breakers->setLimits(t.thresholds);
  CHECK(t.after(t.reset(ResetReason::kConnectionEnded, true)));
  CHECK_FALSE(t.after(t.reset(ResetReason::kConnectionEnded, true)));
  CHECK(t.after(t.reset(ResetReason::kRefused)));
  CHECK_FALSE(t.state->takePlace(RoutingPriority::kDefault, t.breakers));
  CHECK(t.retries() == 0);
}

}  // namespace
}  // namespace sluice::upstream
