// What is known of a connection, and what filters left of it. (proto:
// envoy.extensions.matching.common_inputs.network.v3)
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "source/match/input.h"

namespace sluice::extensions::matching::inputs::network {

using match::Data;
using match::Scratch;
using match::Value;

// The text of an IP address without port; others are absent.
inline Value ipOf(const net::Address& address, Scratch& scratch) {
  if (!address.isIp()) return {};
  scratch = address.ip();
  return {.text = scratch, .address = &address};
}

inline Value portOf(const net::Address& address, Scratch& scratch) {
  if (!address.isIp()) return {};
  scratch = std::to_string(address.port());
  return {.text = scratch};
}

inline Value textOf(std::string_view text) {
  return text.empty() ? Value{} : Value{.text = text};
}

class DestinationIp : public match::Input {
 public:
  uint8_t needs() const override { return match::kAddresses; }
  Value get(const Data& data, Scratch& scratch) const override { return ipOf(*data.local, scratch); }
};

class DestinationPort : public match::Input {
 public:
  uint8_t needs() const override { return match::kAddresses; }
  Value get(const Data& data, Scratch& scratch) const override { return portOf(*data.local, scratch); }
};

class SourceIp : public match::Input {
 public:
  uint8_t needs() const override { return match::kAddresses; }
  Value get(const Data& data, Scratch& scratch) const override { return ipOf(*data.remote, scratch); }
};

class SourcePort : public match::Input {
 public:
  uint8_t needs() const override { return match::kAddresses; }
  Value get(const Data& data, Scratch& scratch) const override { return portOf(*data.remote, scratch); }
};

class DirectSourceIp : public match::Input {
 public:
  uint8_t needs() const override { return match::kPeer; }
  Value get(const Data& data, Scratch& scratch) const override { return ipOf(*data.direct_remote, scratch); }
};

// "local", or absent.
class SourceType : public match::Input {
 public:
  uint8_t needs() const override { return match::kAddresses; }
  Value get(const Data& data, Scratch&) const override {
    return match::fromThisHost(*data.remote, *data.local) ? Value{.text = "local"} : Value{};
  }
};

class ServerName : public match::Input {
 public:
  uint8_t needs() const override { return match::kPeer; }
  Value get(const Data& data, Scratch&) const override { return textOf(data.server_name); }
};

class TransportProtocol : public match::Input {
 public:
  uint8_t needs() const override { return match::kConnection; }
  Value get(const Data& data, Scratch&) const override { return textOf(data.transport_protocol); }
};

// 'h2','http/1.1'
class ApplicationProtocols : public match::Input {
 public:
  uint8_t needs() const override { return match::kConnection; }
  Value get(const Data& data, Scratch& scratch) const override {
    scratch.clear();
    for (const std::string& protocol : *data.application_protocols) {
      scratch.append(scratch.empty() ? "'" : ",'").append(protocol).append("'");
    }
    return textOf(scratch);
  }
};

// What stands at a path below a filter's name; as text, too, if it is one.
class DynamicMetadata : public match::Input {
 public:
  DynamicMetadata(std::string filter, std::vector<std::string> path)
      : filter_(std::move(filter)), path_(std::move(path)) {}
  uint8_t needs() const override { return match::kStream; }
  bool isStructured() const override { return true; }
  Value get(const Data& data, Scratch& scratch) const override;

 private:
  const std::string filter_;
  const std::vector<std::string> path_;
};

// The text of an object; one that shows none is as good as absent.
class FilterState : public match::Input {
 public:
  explicit FilterState(std::string key) : key_(std::move(key)) {}
  uint8_t needs() const override { return match::kStream; }
  Value get(const Data& data, Scratch& scratch) const override;

 private:
  const std::string key_;
};

}  // namespace sluice::extensions::matching::inputs::network
