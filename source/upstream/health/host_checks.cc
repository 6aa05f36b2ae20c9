#include "source/upstream/health/host_checks.h"

#include <algorithm>
#include <utility>

#include "source/base/text.h"

namespace sluice::upstream::health {

using cluster::Health;
using cluster::HealthInput;

HostChecks::HostChecks(cluster::HostPtr host, const cluster::EndpointCheck& endpoint, CheckOwner& owner)
    : host_(std::move(host)), endpoint_(endpoint), owner_(owner) {
  const Health known = host_->monitor().opinion(HealthInput::kActiveCheck);
  while (checks_.size() < owner_.config()->health_checks.size()) add(known);
}

void HostChecks::add(Health known) {
  checks_.push_back(std::make_unique<HostCheck>(host_, endpoint_, checks_.size(), known, owner_,
                                                [this](const HostCheck::Outcome& outcome) { onOutcome(outcome); }));
}

bool HostChecks::pending() const {
  return std::any_of(checks_.begin(), checks_.end(), [](const auto& check) { return check->pending(); });
}

Health HostChecks::health() const {
  Health worst = Health::kHealthy;
  for (const auto& check : checks_) worst = cluster::worseOf(worst, check->health());
  return worst;
}

std::string HostChecks::reason() const {
  if (checks_.size() == 1) return checks_.front()->reason();
  std::string out;
  for (size_t i = 0; i < checks_.size(); ++i) {
    if (checks_[i]->reason().empty()) continue;
    base::strAppend(out, out.empty() ? "" : "; ", "health_checks[", i, "] (",
                    cluster::nameOf(owner_.config()->health_checks[i]->kind), "): ", checks_[i]->reason());
  }
  return out;
}

void HostChecks::failNow() {
  for (const auto& check : checks_) check->failNow(check == checks_.front());
}

bool HostChecks::configChanged() {
  const size_t before = checks_.size();
  const size_t now = owner_.config()->health_checks.size();
  if (now < before) checks_.resize(now);
  for (const auto& check : checks_) check->configChanged();
  while (checks_.size() < now) add(host_->monitor().pending() ? Health::kUnhealthy : Health::kHealthy);
  return now != before;
}

void HostChecks::onOutcome(const HostCheck::Outcome& outcome) {
  const Health worst = health();
  const bool known = !pending();
  if (known) host_->monitor().setPending(false);
  owner_.onChecked(*host_, {.health = worst,
                            .reason = reason(),
                            .passed = outcome.passed && worst < Health::kUnhealthy,
                            .first = outcome.first && known,
                            .excluded = outcome.excluded});
}

}  // namespace sluice::upstream::health
