#pragma once

// Common messages of the configuration as values of the data path. Errors go to the context; the messages have passed
// validate() or are checked for what it would have found.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "envoy/config/core/v3/address.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "google/protobuf/duration.pb.h"

#include "source/config/errors.h"
#include "source/net/address.h"
#include "source/net/cidr.h"
#include "xds/core/v3/cidr.pb.h"

namespace sluice::config {

// An IP address with port or a Unix socket path ('@' for the abstract namespace). A host name is an error: only
// clusters resolve names. `udp`: whether its protocol may be UDP.
std::optional<net::Address> compileAddress(const envoy::config::core::v3::Address& address, const Context& context,
                                           bool udp = false);

// A range without prefix_len is every address of its family, as the proto's default of 0 says.
std::optional<net::Cidr> compileCidr(const envoy::config::core::v3::CidrRange& range, const Context& context);
std::optional<net::Cidr> compileCidr(const xds::core::v3::CidrRange& range, const Context& context);
// Those of a list, without the wrong ones. `context` stands at the message whose `field` they are.
template <typename Ranges>
std::vector<net::Cidr> compileCidrs(const Ranges& ranges, std::string_view field, const Context& context) {
  std::vector<net::Cidr> out;
  for (int i = 0; i < ranges.size(); ++i) {
    if (const auto range = compileCidr(ranges[i], context.child(field, static_cast<size_t>(i)))) out.push_back(*range);
  }
  return out;
}

// The status of a refusal, which is an error as in Envoy: what is none becomes `usual`.
constexpr uint16_t errorStatus(int code, uint16_t usual) {
  return code >= 400 ? static_cast<uint16_t>(code) : usual;
}

// Saturates at what fits, some 292 years.
std::chrono::nanoseconds compileDuration(const google::protobuf::Duration& duration);
// Whole milliseconds, cut off, but not to 0 what is more than 0; from 0 to ten years. (source/base/duration.h)
std::chrono::milliseconds compileMilliseconds(const google::protobuf::Duration& duration);

// The content: inline, of a file or of an environment variable. Files are read now, at most 16 MiB.
std::optional<std::string> compileDataSource(const envoy::config::core::v3::DataSource& source, const Context& context);

}  // namespace sluice::config
