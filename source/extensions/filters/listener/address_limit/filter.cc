#include "source/extensions/filters/listener/address_limit/filter.h"

namespace sluice::extensions::listener_filters::address_limit {
namespace {

// What a connection counts for until its end.
class Place {
 public:
  Place(std::shared_ptr<AddressCounts> counts, const net::IpBits& network, std::shared_ptr<void> before)
      : counts_(std::move(counts)), network_(network), before_(std::move(before)) {}
  ~Place() { counts_->give(network_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  const std::shared_ptr<AddressCounts> counts_;
  const net::IpBits network_;
  const std::shared_ptr<void> before_;  // that of another filter of this kind
};

}  // namespace

filter::ListenerFilter::Result Filter::inspect(std::string_view, filter::Accepted& accepted,
                                               observability::StatsCells& cells) const {
  const net::Address& client = accepted.remote;
  if (!client.isIp() || net::anyContains(settings_.exempt, client)) return {Verdict::kDone};
  const bool v6 = client.family() == net::Address::Family::kIpv6;
  const net::IpBits network = net::IpBits::of(client).first(v6 ? settings_.ipv6_prefix : settings_.ipv4_prefix);
  if (!settings_.counts->take(network, settings_.max_connections)) {
    cells.add(settings_.refused);
    return {Verdict::kClose};
  }
  accepted.counted.address = std::make_shared<Place>(settings_.counts, network, std::move(accepted.counted.address));
  return {Verdict::kDone};
}

}  // namespace sluice::extensions::listener_filters::address_limit
