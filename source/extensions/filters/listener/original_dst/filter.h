// Tells where a connection that the kernel redirected here was going to (iptables REDIRECT or DNAT).
#pragma once

#include "source/filter/listener_filter.h"

namespace sluice::extensions::listener_filters::original_dst {

// None if the kernel knows of no redirection. (SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST)
net::Address originalDestination(int fd, net::Address::Family family);

// The addresses that a connection to an internal listener was made with (transport socket internal_upstream), where
// those in front say so: filter state, or `local` in the metadata of this filter.
void takeHandedOver(filter::Accepted& accepted);

class Filter : public filter::ListenerFilter {
 public:
  // `look_up`: originalDestination, but in tests.
  explicit Filter(net::Address (*look_up)(int, net::Address::Family) = &originalDestination) : look_up_(look_up) {}

  size_t window() const override { return 0; }
  Result inspect(std::string_view, filter::Accepted& accepted, observability::StatsCells&) const override {
    if (accepted.local.isListener()) takeHandedOver(accepted);
    if (!accepted.local.isIp()) return {Verdict::kDone};
    if (accepted.direct_local.isListener()) return {Verdict::kDone};
    const net::Address original = look_up_(accepted.fd.get(), accepted.local.family());
    if (original) accepted.local = original;
    return {Verdict::kDone};
  }

 private:
  net::Address (*look_up_)(int, net::Address::Family);
};

}  // namespace sluice::extensions::listener_filters::original_dst
