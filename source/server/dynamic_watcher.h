// Takes the resources of one xDS type, as its row says: reads and checks each, refuses bad ones by name, field path and
// rule, and says in the log why, once.
//
// A bad resource is refused while its neighbours are applied; its last good version serves on. Thread: main.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/config/init.h"
#include "source/observability/log.h"
#include "source/server/dynamic_type.h"
#include "source/server/options.h"
#include "source/xds/ads_client.h"

namespace sluice::server {

class DynamicWatcher : public xds::ResourceWatcher {
 public:
  // Holds back the requests of a type; null if nothing is to be held back.
  using Hold = std::function<std::unique_ptr<xds::AdsClient::Pause>(std::string_view type_url)>;
  // `on_change`: called when something of the server was taken, or is gone; empty: nobody wants to know.
  // `first_answer`: of a type that comes by wildcard, waits for its first answer.
  DynamicWatcher(DynamicType type, const Options& options, observability::Logger& logger, Hold hold,
                 config::InitTarget first_answer, std::function<void()> on_change = {});

  std::vector<xds::ResourceError> onUpdate(const xds::Update& update) override;
  void onWaitOver(std::string_view source, const std::vector<std::string>& names, xds::WaitEnd why) override;

  const DynamicType& type() const { return type_; }
  // Whether a first answer was taken: some of it, or that there are none.
  bool answered() const { return answered_; }
  // The streams that requests are held back on end.
  void letGo() { held_back_.reset(); }

 private:
  using Key = std::pair<std::string, std::string>;  // source and name

  void take(const xds::Update& update, std::vector<xds::ResourceError>& refused);
  bool takeOne(std::string_view source, const xds::UpdatedResource& resource, std::vector<xds::ResourceError>& refused);
  std::unique_ptr<google::protobuf::Message> read(const xds::UpdatedResource& resource, config::ErrorList& errors);
  void countRefused(const xds::Update& update, const std::vector<xds::ResourceError>& refused);
  void log(const xds::Update& update, const std::vector<xds::ResourceError>& refused);

  static constexpr size_t kMaxTold = 10'000;

  const DynamicType type_;
  const Options& options_;
  observability::Logger& logger_;
  const Hold hold_;
  config::InitTarget first_answer_;
  const std::function<void()> on_change_;
  bool answered_ = false;
  // While a response is being taken.
  std::unique_ptr<xds::AdsClient::Pause> held_back_;
  bool taken_ = false;
  bool empty_ = true;
  std::map<Key, std::vector<std::string>> told_;  // why it was refused
};

}  // namespace sluice::server
