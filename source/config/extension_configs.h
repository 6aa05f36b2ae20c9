// Configurations of extensions that come by their names, and change while what they configure serves. (ECDS)
//
// Thread: main.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "envoy/config/core/v3/config_source.pb.h"
#include "google/protobuf/any.pb.h"
#include "source/config/errors.h"

namespace sluice::config {

// What is configured so.
class ExtensionUser {
 public:
  virtual ~ExtensionUser() = default;
  // What its stats stand under: "extension_config_discovery.http_filter". Static text.
  virtual std::string_view statGroup() const = 0;
  // False once nobody can use any more what it makes; then it is let go of.
  virtual bool alive() const = 0;
  // Compiles a configuration; what it returns puts it into service. Empty after reporting to `context`, which stands at
  // the typed_config: then all users keep what they have.
  virtual std::function<void()> prepare(const google::protobuf::Any& typed_config, const Context& context) = 0;
  // The configuration was taken away.
  virtual void removed() = 0;
  // None has come in time, or there is none; one may come within `grace` (InitTarget::absent()).
  virtual void givenUp(std::chrono::milliseconds grace) = 0;
};

class ExtensionConfigs {
 public:
  using Source = envoy::config::core::v3::ConfigSource;

  virtual ~ExtensionConfigs() = default;
  // Keeps `user` until it is no longer alive, and tells it of the configuration of that name, which may be there
  // already. False after reporting to `context`, which stands at the config_source.
  virtual bool follow(std::shared_ptr<ExtensionUser> user, const std::string& name, const Source& source,
                      const Context& context) = 0;
  // To be called, on any thread, when a user stops being alive.
  virtual std::function<void()> userEnded() = 0;
};

}  // namespace sluice::config
