#include "source/server/dynamic_watcher.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "source/config/any_type.h"
#include "source/config/unknown_fields.h"
#include "source/config/validate.h"
#include "source/xds/nack_text.h"

namespace sluice::server {

using config::Context;
using config::ErrorList;
using xds::ResourceError;
using xds::Update;
using xds::UpdatedResource;

DynamicWatcher::DynamicWatcher(DynamicType type, const Options& options, observability::Logger& logger, Hold hold,
                               config::InitTarget first_answer, std::function<void()> on_change)
    : type_(std::move(type)),
      options_(options),
      logger_(logger),
      hold_(std::move(hold)),
      first_answer_(std::move(first_answer)),
      on_change_(std::move(on_change)) {}

std::vector<ResourceError> DynamicWatcher::onUpdate(const Update& update) {
  std::vector<ResourceError> refused;
  if (update.stored && !update.more) {
    logger_.warning("xds", type_.noun, " of which nothing good has come of the control plane ",
                    "are as they were accepted before the start");
  }
  take(update, refused);
  log(update, refused);
  // That there is nothing may be news, too.
  const bool nothing = update.repeated.empty() && update.failed.empty();
  const bool news = !update.changed.empty() || !update.removed.empty() || nothing;
  if (on_change_ && !update.stored && news) on_change_();
  return refused;
}

// Adds to `refused` what it does not take.
void DynamicWatcher::take(const Update& update, std::vector<ResourceError>& refused) {
  // What one response changes in the interest in other names goes out as one request.
  if (!held_back_ && !type_.holds_back.empty()) held_back_ = hold_(type_.holds_back);
  const auto remove = [&] {
    if (!type_.remove) return;
    for (const std::string& name : update.removed) type_.remove({std::string(update.source), name});
  };
  if (type_.begin) type_.begin(update);
  if (type_.wire.removals_first) remove();
  if (type_.repeated) {
    for (const std::string_view name : update.repeated) {
      type_.repeated({std::string(update.source), std::string(name)});
    }
  }
  for (const UpdatedResource& resource : update.changed) taken_ |= takeOne(update.source, resource, refused);
  if (!type_.wire.removals_first) remove();
  countRefused(update, refused);
  empty_ = empty_ && update.changed.empty() && update.rejected.empty() && update.failed.empty();
  if (update.more) return;
  if (type_.end) type_.end(update.source);
  held_back_.reset();
  answered_ |= taken_ || empty_;
  taken_ = false;
  empty_ = true;
  first_answer_.ready();
}

bool DynamicWatcher::takeOne(std::string_view source, const UpdatedResource& resource,
                             std::vector<ResourceError>& refused) {
  ErrorList errors;
  if (const std::unique_ptr<google::protobuf::Message> message = read(resource, errors)) {
    type_.take({source, resource.name, resource.version, *message}, Context(errors));
  }
  for (const auto& warning : errors.warnings()) logger_.warning("xds", "'", resource.name, "': ", warning.toString());
  for (const config::ConfigError& error : errors.errors()) {
    refused.push_back({resource.name, error.path,
                       error.rule.empty() ? error.message : absl::StrCat(error.message, " (", error.rule, ")")});
  }
  return errors.empty();
}

// The message of a resource, checked by the rules of its proto; null after adding to `errors` what is wrong.
std::unique_ptr<google::protobuf::Message> DynamicWatcher::read(const UpdatedResource& resource, ErrorList& errors) {
  const Context context(errors);
  std::unique_ptr<google::protobuf::Message> message = config::newMessage(xds::typeName(type_.wire.url));
  if (!message || !message->ParseFromString(resource.body->value())) {
    context.error("the bytes are no valid message of this type");
    return nullptr;
  }
  const auto unknown =
      config::checkUnknownFields(*message,
                                 options_.reject_unknown_dynamic_fields ? config::UnknownFieldPolicy::kRefuseAll
                                                                        : config::UnknownFieldPolicy::kRefuseKnown,
                                 context);
  for (const std::string& path : unknown.ignored_paths) {
    logger_.warning("xds", "resource '", resource.name, "': ignored ", path);
  }
  config::validate(*message, context);
  if (!errors.empty()) return nullptr;
  return message;
}

void DynamicWatcher::onWaitOver(std::string_view source, const std::vector<std::string>& names, xds::WaitEnd why) {
  const char* when = why == xds::WaitEnd::kTimeout ? " in time" : "";
  for (const std::string& name : names) {
    if (name == xds::kWildcard) {
      logger_.warning("xds", "no ", type_.noun, " came", when, "; going on without");
      first_answer_.ready();
      if (type_.give_up) type_.give_up({std::string(source), name}, why);
      continue;
    }
    if (type_.discovery && why != xds::WaitEnd::kRefused) {
      type_.discovery(source, name, [why](DiscoveryStats& stats) {
        why == xds::WaitEnd::kTimeout ? stats.timedOut() : stats.empty();
      });
    }
    if (!type_.without.empty()) {
      logger_.warning("xds", type_.noun, " '", name, "' did not come", when, "; ", type_.without);
    }
    if (type_.give_up) type_.give_up({std::string(source), name}, why);
  }
}

// In the stats of each resource.
void DynamicWatcher::countRefused(const Update& update, const std::vector<ResourceError>& refused) {
  if (!type_.discovery) return;
  std::set<std::string_view> names;  // one may be wrong in several places
  for (const auto* list : {&update.rejected, &refused}) {
    for (const ResourceError& error : *list) {
      if (!error.name.empty()) names.insert(error.name);
    }
  }
  for (const std::string_view name : names) {
    type_.discovery(update.source, name, [](DiscoveryStats& stats) { stats.rejected(); });
  }
}

// A server that sends the same again has nothing new to say.
void DynamicWatcher::log(const Update& update, const std::vector<ResourceError>& refused) {
  std::map<std::string, std::vector<std::string>> reasons;
  for (const auto* list : {&update.rejected, &refused}) {
    for (const ResourceError& error : *list) reasons[error.name].push_back(xds::errorText(error));
  }
  for (const std::string& name : update.removed) told_.erase({std::string(update.source), name});
  for (const UpdatedResource& resource : update.changed) {
    if (!reasons.contains(resource.name)) told_.erase({std::string(update.source), resource.name});
  }
  if (told_.size() > kMaxTold) told_.clear();
  for (auto& [name, texts] : reasons) {
    std::vector<std::string>& told = told_[{std::string(update.source), name}];
    if (told == texts) continue;
    told = std::move(texts);
    for (const std::string& text : told) logger_.warning("xds", "refused '", name, "': ", text);
  }
  for (const ResourceError& failed : update.failed) {
    std::vector<std::string>& told = told_[{std::string(update.source), failed.name}];
    if (told == std::vector<std::string>{failed.rule}) continue;
    told = {failed.rule};
    logger_.warning("xds", "the control plane has an error of '", failed.name, "': ", failed.rule);
  }
}

}  // namespace sluice::server
