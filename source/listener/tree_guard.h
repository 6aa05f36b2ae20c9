// The same as ServerNameGuard where a filter_chain_matcher chooses: the tree is asked once more, with a request's host
// as server name and all else as the connection has it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/filter/network.h"
#include "source/match/tree.h"

namespace sluice::listener {

// A tree that leads to numbers of chains.
struct ChainTree {
  std::shared_ptr<const match::Matcher> matcher;
  std::optional<size_t> default_chain;  // takes what it does not know
  size_t chains = 0;                    // how many there are; a number beyond them is none

  // Nothing: no chain serves it. `server_name`: instead of the connection's own.
  std::optional<size_t> find(const filter::Accepted& accepted, std::string_view server_name) const;
  std::optional<size_t> find(const match::Data& data) const;
};

// Of one connection.
class TreeGuard : public filter::ChainGuard {
 public:
  TreeGuard(ChainTree tree, const filter::Accepted& accepted);

  bool misdirected(std::string_view host, const void* chosen) const override;

 private:
  const ChainTree tree_;
  const net::Address remote_, local_, direct_remote_;
  const std::string_view transport_protocol_;  // static storage
  const std::vector<std::string> application_protocols_;
};

}  // namespace sluice::listener
