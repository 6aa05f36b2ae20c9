#include "source/net/family_order.h"

#include <algorithm>

namespace sluice::net {
namespace {

struct Turns {
  Address::Family family;
  uint32_t at_once;  // addresses in one turn
  std::vector<Address> addresses;
  size_t next = 0;
};

// By family, in the order in which they take turns.
std::vector<Turns> byFamily(const std::vector<Address>& addresses, const FamilyOrder& order) {
  const Address::Family preferred = order.first == Address::Family::kNone ? addresses.front().family() : order.first;
  std::vector<Turns> out;
  for (const Address& address : addresses) {
    const auto same = [&address](const Turns& turns) { return turns.family == address.family(); };
    auto at = std::find_if(out.begin(), out.end(), same);
    if (at == out.end()) {
      const bool first = address.family() == preferred;
      at = out.insert(first ? out.begin() : out.end(), {address.family(), first ? order.first_count : 1, {}});
    }
    std::vector<Address>& list = at->addresses;
    if (std::find(list.begin(), list.end(), address) == list.end()) list.push_back(address);
  }
  return out;
}

}  // namespace

std::vector<Address> inOrder(const std::vector<Address>& addresses, const FamilyOrder& order) {
  if (addresses.empty()) return {};
  std::vector<Turns> families = byFamily(addresses, order);
  size_t count = 0;
  for (const Turns& turns : families) count += turns.addresses.size();
  std::vector<Address> out;
  out.reserve(count);
  while (out.size() < count) {
    for (Turns& turns : families) {
      for (uint32_t i = 0; i < turns.at_once && turns.next < turns.addresses.size(); ++i) {
        out.push_back(turns.addresses[turns.next++]);
      }
    }
  }
  return out;
}

}  // namespace sluice::net
