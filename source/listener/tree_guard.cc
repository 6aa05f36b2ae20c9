#include "source/listener/tree_guard.h"

#include <utility>

#include "source/listener/chain_guard.h"

namespace sluice::listener {

std::optional<size_t> ChainTree::find(const match::Data& data) const {
  const match::Result result = matcher->evaluate(data);
  if (result.state != match::Result::State::kMatched) return default_chain;
  return result.action < chains ? std::optional<size_t>(result.action) : std::nullopt;
}

std::optional<size_t> ChainTree::find(const filter::Accepted& accepted, std::string_view server_name) const {
  return find({.remote = &accepted.remote,
               .local = &accepted.local,
               .direct_remote = &accepted.direct_remote,
               .server_name = server_name,
               .transport_protocol = accepted.transport_protocol,
               .application_protocols = &accepted.application_protocols});
}

TreeGuard::TreeGuard(ChainTree tree, const filter::Accepted& accepted)
    : tree_(std::move(tree)),
      remote_(accepted.remote),
      local_(accepted.local),
      direct_remote_(accepted.direct_remote),
      transport_protocol_(accepted.transport_protocol),
      application_protocols_(accepted.application_protocols) {}

bool TreeGuard::misdirected(std::string_view host, const void* chosen) const {
  const std::optional<size_t> chain = tree_.find({.remote = &remote_,
                                                  .local = &local_,
                                                  .direct_remote = &direct_remote_,
                                                  .server_name = host,
                                                  .transport_protocol = transport_protocol_,
                                                  .application_protocols = &application_protocols_});
  return !chain || ServerNameGuard::handleOf(*chain) != chosen;
}

}  // namespace sluice::listener
