#include "source/match/exchange.h"

#include <string_view>

namespace sluice::match {
namespace {

// Of text with port; none of what is no address.
net::Address addressIn(std::string_view text) {
  return text.empty() ? net::Address() : net::Address::parse(text).value_or(net::Address());
}

}  // namespace

Exchange::Exchange(const http::RequestHeaders& request, const stream::StreamInfo* info, uint8_t needs) {
  data_.remote = &remote_;
  data_.local = &local_;
  data_.direct_remote = &direct_remote_;
  data_.request = &request;
  data_.info = info;
  if (info == nullptr) return;
  data_.server_name = info->requested_server_name;
  if ((needs & kAddresses) != 0) {
    remote_ = addressIn(info->downstream_remote_address);
    local_ = addressIn(info->downstream_local_address);
  }
  if ((needs & kPeer) != 0) {
    const std::string_view direct = info->downstream_direct_remote_address;
    direct_remote_ = addressIn(direct.empty() ? info->downstream_remote_address : direct);
  }
}

void Exchange::setResponse(const http::ResponseHeaders& head) {
  data_.response = &head;
  data_.local_reply = data_.info != nullptr && data_.info->response_code_details != "via_upstream";
}

}  // namespace sluice::match
