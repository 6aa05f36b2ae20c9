#include "source/extensions/filters/network/rbac/filter.h"

namespace sluice::extensions::network_filters::rbac {
namespace {

filter::rbac::Subject subjectOf(const filter::ConnectionFacts& facts) {
  filter::rbac::Subject subject;
  subject.data.remote = &facts.remote;
  subject.data.local = &facts.local;
  subject.data.direct_remote = &facts.direct_remote;
  subject.data.server_name = facts.server_name;
  subject.data.transport_protocol = facts.tls == nullptr ? "raw_buffer" : "tls";
  subject.data.application_protocols = &facts.application_protocols;
  subject.tls = facts.tls;
  return subject;
}

}  // namespace

filter::NetworkResult Rbac::admit(filter::NetworkStream& stream) const {
  const filter::rbac::Subject subject = subjectOf(stream.facts());
  if (settings_.shadow) {
    const bool allowed = settings_.shadow->decide(subject).allowed;
    stream.cells().add(allowed ? settings_.stats.shadow_allowed : settings_.stats.shadow_denied);
  }
  if (!settings_.rules) return filter::Next{};
  const filter::rbac::Decision decision = settings_.rules->decide(subject);
  stream.cells().add(decision.allowed ? settings_.stats.allowed : settings_.stats.denied);
  settings_.rules->audit(subject, decision, stream.worker().log_sink);
  if (decision.allowed) return filter::Next{};
  return filter::Close{settings_.rules->details(decision), settings_.delay};
}

}  // namespace sluice::extensions::network_filters::rbac
