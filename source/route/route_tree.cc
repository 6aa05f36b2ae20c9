#include "source/route/route_tree.h"

#include "source/net/address.h"

namespace sluice::route {
namespace {

// Of text with port; none of what is no address.
net::Address addressIn(std::string_view text) {
  return text.empty() ? net::Address() : net::Address::parse(text).value_or(net::Address());
}

}  // namespace

match::Result evaluate(const match::Matcher& matcher, const http::RequestHeaders& request,
                       const stream::StreamInfo* info) {
  net::Address remote, local, direct_remote;
  match::Data data{.remote = &remote, .local = &local, .direct_remote = &direct_remote};
  data.request = &request;
  data.info = info;
  if (info == nullptr) return matcher.evaluate(data);
  data.server_name = info->requested_server_name;
  // Reading an address is as much work as the rest of a small tree.
  if ((matcher.needs & match::kAddresses) != 0) {
    remote = addressIn(info->downstream_remote_address);
    local = addressIn(info->downstream_local_address);
  }
  if ((matcher.needs & match::kPeer) != 0) {
    direct_remote = addressIn(info->downstream_direct_remote_address.empty() ? info->downstream_remote_address
                                                                             : info->downstream_direct_remote_address);
  }
  return matcher.evaluate(data);
}

}  // namespace sluice::route
