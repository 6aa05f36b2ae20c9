#pragma once

// How configuration finds the code of an extension: by the type of its `typed_config`, never by its name.
//
// A kind of extension (HTTP filter, network filter, access logger, ...) derives its factory interface from
// ExtensionFactory and has one FactoryTable (registry.h); extensions::registerAll fills the tables once at start, after
// that they are read only. The name in the configuration is a label for errors and for per-route settings.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/message.h"

#include "source/config/any_type.h"
#include "source/config/errors.h"

namespace sluice::config {

class ExtensionFactory {
 public:
  virtual ~ExtensionFactory() = default;

  // Full name of the message in typed_config: "envoy.extensions.filters.http.buffer.v3.Buffer". Static storage.
  virtual std::string_view configType() const = 0;
};

// Factory is the interface of one kind of extension, derived from ExtensionFactory.
template <typename Factory>
class FactoryTable {
 public:
  // A factory and the message to give it; both null after an error.
  struct Match {
    const Factory* factory = nullptr;
    std::unique_ptr<google::protobuf::Message> config;

    explicit operator bool() const { return factory != nullptr; }
  };

  // `kind` as errors name it: "HTTP filter".
  explicit FactoryTable(std::string kind) : kind_(std::move(kind)) {}

  void add(std::unique_ptr<const Factory> factory) {
    const std::string_view type = factory->configType();
    by_type_.emplace(type, std::move(factory));
  }

  // Null if no extension of this kind takes the type.
  const Factory* find(std::string_view config_type) const {
    const auto found = by_type_.find(config_type);
    return found == by_type_.end() ? nullptr : found->second.get();
  }

  // The factory for `typed_config` and its message, a TypedStruct converted. Reports to `context`, which stands at the
  // typed_config field, if the type is unknown, of another kind or missing.
  Match resolve(const google::protobuf::Any& typed_config, const Context& context) const {
    if (typed_config.type_url().empty()) {
      context.error(absl::StrCat("has no \"@type\"; name the message that configures this ", kind_));
      return {};
    }
    std::unique_ptr<google::protobuf::Message> message = unpackAny(typed_config, context);
    if (message == nullptr) return {};
    const std::string& type = message->GetDescriptor()->full_name();
    const Factory* factory = find(type);
    if (factory == nullptr) {
      context.error(absl::StrCat(type, " does not configure ", kind_, "s; known: ", knownTypes()));
      return {};
    }
    return {factory, std::move(message)};
  }

  // What the factory for `typed_config` makes of it; null after an error. `context` is a FactoryContext, which stands
  // there.
  template <typename FactoryContext>
  auto compile(const google::protobuf::Any& typed_config, const FactoryContext& context) const {
    const Match match = resolve(typed_config, context.at);
    return match ? match.factory->compile(*match.config, context) : nullptr;
  }

  // Sorted.
  std::vector<std::string_view> configTypes() const {
    std::vector<std::string_view> types;
    for (const auto& [type, factory] : by_type_) types.push_back(type);
    return types;
  }

 private:
  std::string knownTypes() const {
    std::string text;
    for (const std::string_view type : configTypes())
      absl::StrAppend(&text, text.empty() ? "" : ", ", std::string(type));
    return text.empty() ? "none" : text;
  }

  std::string kind_;
  std::map<std::string_view, std::unique_ptr<const Factory>, std::less<>> by_type_;
};

}  // namespace sluice::config
