// Lines of JSON about changes of hosts' health, as Envoy writes them. (proto: envoy.data.core.v3.HealthCheckEvent,
// envoy.data.cluster.v3.OutlierDetectionEvent)
//
// Thread: that of the sink.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/net/address.h"
#include "source/observability/log_file.h"

namespace sluice::upstream::health {

// One line: fields in the order in which they are added.
class EventLine {
 public:
  EventLine() : text_("{") {}
  EventLine& add(std::string_view name, std::string_view value);
  EventLine& add(std::string_view name, const char* value) { return add(name, std::string_view(value)); }
  EventLine& add(std::string_view name, bool value) { return addRaw(name, value ? "true" : "false"); }
  EventLine& add(std::string_view name, uint64_t value) { return addRaw(name, std::to_string(value)); }
  EventLine& add(std::string_view name, const EventLine& value) { return addRaw(name, value.text_ + "}"); }
  EventLine& addTime(std::string_view name, std::chrono::system_clock::time_point time);
  EventLine& addAddress(std::string_view name, const net::Address& address);
  // Whole, with its newline.
  std::string take() { return std::move(text_) + "}\n"; }

 private:
  EventLine& addRaw(std::string_view name, std::string_view json);

  std::string text_;
};

// Where lines go, and what the time is that they tell. `sink` may be null: then they go nowhere.
struct EventLog {
  observability::LogSink* sink = nullptr;
  std::function<std::chrono::system_clock::time_point()> wall_now = std::chrono::system_clock::now;

  void write(const observability::LogFile& file, std::string_view line) const {
    if (sink != nullptr) sink->append(file, line);
  }
};

}  // namespace sluice::upstream::health
