#include "source/filter/context.h"

#include <new>

#include "source/filter/chain.h"

namespace sluice::filter {

ResumeToken Context::resumeToken() {
  return stream_.runner_->takeToken(index_);
}

void Context::emitRequestData(std::string_view bytes) {
  stream_.runner_->emitData(Direction::kRequest, index_, bytes);
}

void Context::emitResponseData(std::string_view bytes) {
  stream_.runner_->emitData(Direction::kResponse, index_, bytes);
}

http::Trailers& Context::addRequestTrailers() {
  stream_.runner_->addTrailers(Direction::kRequest, index_);
  return stream_.requestTrailers();
}

http::Trailers& Context::addResponseTrailers() {
  stream_.runner_->addTrailers(Direction::kResponse, index_);
  return stream_.responseTrailers();
}

route::FilterSlot Context::slot() const {
  return stream_.runner_->config().entries()[index_].slot;
}

bool Context::rematchRoute() {
  return stream_.runner_->rematchRoute(index_);
}

std::vector<const route::PerFilterConfig*> Context::routeConfigsInFront() const {
  std::vector<const route::PerFilterConfig*> out;
  const std::vector<ChainConfig::Entry>& entries = stream_.runner_->config().entries();
  for (size_t i = 0; i < index_; ++i) out.push_back(stream_.route().filterEntry(entries[i].slot));
  return out;
}

std::string_view Context::cluster() const {
  const route::Match& match = stream_.route();
  if (!match || match.route->forward == nullptr) return {};
  const UpstreamChoice* choice = stream_.upstreamChoice();
  if (choice != nullptr && !choice->cluster.empty()) return choice->cluster;
  return match.clusterName();
}

UpstreamChoice& Context::choice() {
  if (stream_.upstream_choice_ == nullptr) {
    stream_.upstream_choice_ = new (stream_.arena().allocate(sizeof(UpstreamChoice))) UpstreamChoice;
  }
  return *stream_.upstream_choice_;
}

void Context::setCluster(std::string_view name) {
  choice().cluster = stream_.arena().copy(name);
}

void Context::setUpstreamHost(std::string_view address, bool only) {
  choice().host = stream_.arena().copy(address);
  choice().only_host = only;
}

void Context::setResolvedHost(const dns_cache::ResolvedHost& host) {
  choice().resolved = &host;
}

std::chrono::system_clock::time_point Context::wallNow() const {
  return stream_.info().timeOfDay(now());
}

}  // namespace sluice::filter
