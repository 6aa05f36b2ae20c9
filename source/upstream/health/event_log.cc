#include "source/upstream/health/event_log.h"

#include <array>

#include "source/stream/formatter.h"
#include "source/stream/time_format.h"

namespace sluice::upstream::health {

EventLine& EventLine::addRaw(std::string_view name, std::string_view json) {
  if (text_.size() > 1) text_ += ',';
  text_.append("\"").append(name).append("\":").append(json);
  return *this;
}

EventLine& EventLine::add(std::string_view name, std::string_view value) {
  std::string json = "\"";
  stream::appendJsonEscaped(value, json);
  return addRaw(name, json += '"');
}

EventLine& EventLine::addTime(std::string_view name, std::chrono::system_clock::time_point time) {
  static const stream::TimeFormat kFormat = stream::TimeFormat::iso8601();
  std::array<char, stream::TimeFormat::kMaxSize> text;
  const char* const end = kFormat.write(time, text.data());
  return add(name, std::string_view(text.data(), static_cast<size_t>(end - text.data())));
}

EventLine& EventLine::addAddress(std::string_view name, const net::Address& address) {
  EventLine where;
  if (address.isUnix()) {
    where.add("pipe", EventLine().add("path", std::string_view(address.toString())));
  } else if (address.isListener()) {
    EventLine internal;
    internal.add("server_listener_name", address.listenerName()).add("endpoint_id", address.listenerEndpoint());
    where.add("envoy_internal_address", internal);
  } else {
    EventLine socket;
    socket.add("protocol", "TCP").add("address", std::string_view(address.ip()));
    where.add("socket_address", socket.add("port_value", uint64_t{address.port()}));
  }
  return add(name, where);
}

}  // namespace sluice::upstream::health
