#include "source/filter/token.h"

#include <utility>

#include "source/filter/chain.h"

namespace sluice::filter {

ResumeToken::ResumeToken(ChainRunner& runner, Direction direction, uint8_t position)
    : runner_(&runner), direction_(direction), position_(position) {
  runner.tokens_.pushBack(*this);
}

ResumeToken::ResumeToken(ResumeToken&& other) noexcept {
  *this = std::move(other);
}

ResumeToken& ResumeToken::operator=(ResumeToken&& other) noexcept {
  if (this == &other) return *this;
  drop();
  runner_ = std::exchange(other.runner_, nullptr);
  direction_ = other.direction_;
  position_ = other.position_;
  other.unlink();
  if (runner_ != nullptr) runner_->tokens_.pushBack(*this);
  return *this;
}

void ResumeToken::resume() {
  unlink();
  if (ChainRunner* runner = std::exchange(runner_, nullptr)) runner->resume(direction_, position_, std::nullopt);
}

void ResumeToken::resumeWith(std::string chunk) {
  unlink();
  if (ChainRunner* runner = std::exchange(runner_, nullptr)) runner->resume(direction_, position_, std::move(chunk));
}

void ResumeToken::collect(Collect collect) {
  unlink();
  if (ChainRunner* runner = std::exchange(runner_, nullptr)) runner->resumeCollecting(direction_, position_, collect);
}

void ResumeToken::reply(Reply reply) {
  unlink();
  if (ChainRunner* runner = std::exchange(runner_, nullptr)) runner->replyFrom(direction_, reply);
}

void ResumeToken::drop() {
  unlink();
  if (ChainRunner* runner = std::exchange(runner_, nullptr)) runner->tokenDropped();
}

}  // namespace sluice::filter
