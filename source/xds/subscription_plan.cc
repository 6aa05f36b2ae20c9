// How a response is sorted out: what of it is new, known, wrong or gone. Changes nothing.
#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "source/xds/nack_text.h"
#include "source/xds/resource_type.h"
#include "source/xds/subscription_machine.h"

namespace sluice::xds {
namespace {

bool sameBody(const google::protobuf::Any* a, const google::protobuf::Any* b) {
  return a != nullptr && b != nullptr && a->value() == b->value();
}

bool isAbsence(const FailedResource& failed) {
  return failed.error.code == static_cast<int>(absl::StatusCode::kNotFound);
}

// Such as `PERMISSION_DENIED: not yours`. Codes that nobody knows are UNKNOWN, and so is OK, which is none of an error.
std::string textOf(const ErrorDetail& error) {
  const auto code = error.code == 0 ? absl::StatusCode::kUnknown : static_cast<absl::StatusCode>(error.code);
  return validUtf8(absl::Status(code, error.message).ToString(), kMaxNackText);
}

}  // namespace

const std::string& SubscriptionMachine::versionOf(const Resource& resource, const Response& response) const {
  return resource.version.empty() && !delta() ? response.version : resource.version;
}

bool SubscriptionMachine::isHeartbeat(const Resource& resource, const Response& response) const {
  if (resource.body != nullptr) return false;
  const auto entry = entries_.find(resource.name);
  if (entry == entries_.end() || entry->second.body == nullptr) return false;
  if (resource.version == entry->second.version) return true;
  // State-of-the-world servers leave the version out, or give the response's.
  return !delta() && (resource.version.empty() || resource.version == response.version);
}

std::string SubscriptionMachine::nameOf(const Resource& resource, size_t index, Plan& plan) const {
  const std::string where = absl::StrCat("resources[", index, "]");
  if (!resource.name.empty() && !options_.type.name_in_body) return resource.name;
  absl::StatusOr<std::string> name = nameInBody(resource.body->value());
  if (!name.ok()) {
    plan.unnamed = plan.unnamed || resource.name.empty();
    plan.refuse(resource.name.empty() ? where : resource.name, "", std::string(name.status().message()));
    return {};
  }
  if (!resource.name.empty() && resource.name != *name) {
    plan.refuse(resource.name, "name", absl::StrCat("is \"", *name, "\" inside; both names must be the same"));
    return {};
  }
  return *std::move(name);
}

// What was asked for, under the names that it was asked for by. A response tells the aliases of what it answers, so
// those of earlier ones stay, until another resource has them. A resource with aliases and no body says that there is
// none.
Response SubscriptionMachine::byAliases(Response response) {
  std::map<std::string, Resource> sent;
  std::set<std::string> seen;
  const size_t removed = response.removed.size();
  for (Resource& resource : response.resources) {
    std::vector<std::string> names = std::exchange(resource.aliases, {});
    const bool absent = resource.body == nullptr && !names.empty();
    names.push_back(resource.name);
    std::erase_if(names, [&](const std::string& name) { return !wants(name) || !seen.insert(name).second; });
    if (absent) {
      for (const std::string& name : names) alias_of_.erase(name);
      response.removed.insert(response.removed.end(), names.begin(), names.end());
    } else {
      for (const std::string& name : names) alias_of_[name] = resource.name;
      sent.try_emplace(resource.name, std::move(resource));
    }
  }
  const std::set<std::string> gone(response.removed.begin(),
                                   response.removed.begin() + static_cast<ptrdiff_t>(removed));
  response.resources.clear();
  for (auto at = alias_of_.begin(); at != alias_of_.end();) {
    const auto& [name, of] = *at;
    const bool wanted = wants(name), taken_away = gone.contains(name), is_gone = gone.contains(of) || taken_away;
    const auto resource = sent.find(of);
    if (resource != sent.end() && wanted && (!taken_away || seen.contains(name))) {
      response.resources.push_back(resource->second);
      response.resources.back().name = name;
    }
    if (is_gone && !taken_away) response.removed.push_back(name);
    at = is_gone || !wanted ? alias_of_.erase(at) : std::next(at);
  }
  return response;
}

SubscriptionMachine::Plan SubscriptionMachine::makePlan(const Response& response) const {
  Plan plan;
  plan.update.type_url = options_.type.url;
  plan.update.version = response.version;
  for (size_t i = 0; i < response.resources.size(); ++i) {
    const Resource& resource = response.resources[i];
    if (resource.body != nullptr && typeName(resource.body->type_url()) != typeName(options_.type.url)) {
      plan.refused = true;
      plan.refuse(resource.name.empty() ? absl::StrCat("resources[", i, "]") : resource.name, "",
                  absl::StrCat("its type is ", std::string(typeName(resource.body->type_url())),
                               "; a response holds one type"));
      continue;
    }
    if (resource.body == nullptr) {
      sortResource(resource, resource.name, response, plan);
    } else if (std::string name = nameOf(resource, i, plan); !name.empty()) {
      sortResource(resource, std::move(name), response, plan);
    } else {
      plan.present.insert(resource.name);
    }
  }
  dropContradictions(response, plan);
  plan.only_heartbeats = !response.resources.empty() && plan.heartbeats.size() == response.resources.size();
  if (plan.refused) return plan;
  sortFailed(response, plan);
  findRemoved(response, plan);
  return plan;
}

void SubscriptionMachine::sortResource(const Resource& resource, std::string name, const Response& response,
                                       Plan& plan) const {
  if (!plan.present.insert(name).second) {
    if (!plan.bad.contains(name)) plan.refuse(std::move(name), "", "stands in one response twice; send it once");
    return;
  }
  const auto entry = entries_.find(name);
  if (!wildcard_ && (entry == entries_.end() || !entry->second.subscribed)) return;  // nobody asked for it
  if (isHeartbeat(resource, response)) {
    plan.heartbeats.emplace_back(std::move(name), &resource);
  } else if (resource.body == nullptr) {
    if (!resource.aliases.empty()) return;  // "this alias has nothing": for types that have aliases
    plan.refuse(std::move(name), "resource", "is missing, and no such version is held");
  } else if (entry != entries_.end() && sameBody(entry->second.body.get(), resource.body.get())) {
    plan.unchanged.emplace_back(std::move(name), &resource);
  } else {
    plan.update.changed.push_back({std::move(name), versionOf(resource, response), resource.body});
    plan.sources.push_back(&resource);
  }
}

// A name that was refused for standing twice, or for being sent and removed at once, is taken in neither form.
void SubscriptionMachine::dropContradictions(const Response& response, Plan& plan) const {
  for (const std::string& name : response.removed) {
    if (plan.present.contains(name) && !plan.bad.contains(name)) {
      plan.refuse(name, "", "stands in resources and in removed_resources; send it in one of them");
    }
  }
  if (plan.bad.empty()) return;
  size_t kept = 0;
  for (size_t i = 0; i < plan.update.changed.size(); ++i) {
    if (plan.bad.contains(plan.update.changed[i].name)) continue;
    if (kept != i) {
      plan.update.changed[kept] = std::move(plan.update.changed[i]);
      plan.sources[kept] = plan.sources[i];
    }
    ++kept;
  }
  plan.update.changed.resize(kept);
  plan.sources.resize(kept);
  std::erase_if(plan.unchanged, [&](const auto& item) { return plan.bad.contains(item.first); });
}

// Who sends a resource has no error of it. Of two errors of one name the last counts.
void SubscriptionMachine::sortFailed(const Response& response, Plan& plan) const {
  std::map<std::string_view, const FailedResource*> failed;
  for (const FailedResource& one : response.failed) failed[one.name] = &one;
  for (const auto& [name, one] : failed) {
    const auto entry = entries_.find(name);
    const bool wanted = wildcard_ || (entry != entries_.end() && entry->second.subscribed);
    if (name.empty() || !wanted || plan.present.contains(name)) continue;
    const bool removed = std::find(response.removed.begin(), response.removed.end(), name) != response.removed.end();
    if (isAbsence(*one) || removed) {
      plan.absent.emplace(name, textOf(one->error));
    } else {
      plan.present.emplace(name);
      plan.update.failed.push_back({std::string(name), "", textOf(one->error)});
    }
  }
}

void SubscriptionMachine::findRemoved(const Response& response, Plan& plan) const {
  if (delta()) {
    std::set<std::string_view> once(response.removed.begin(), response.removed.end());
    for (const auto& [name, why] : plan.absent) once.insert(name);
    for (const std::string_view name : once) {
      if (entries_.contains(name) && !plan.present.contains(name)) plan.update.removed.emplace_back(name);
    }
    return;
  }
  // A resource that nobody can name may be any of those held: then nothing is missing for sure.
  const bool missing_is_gone = options_.type.complete_set && !plan.unnamed && !plan.only_heartbeats;
  // Nothing is not what was asked for.
  const bool nothing = !options_.type.complete_set && response.resources.empty() && response.failed.empty();
  if (!missing_is_gone && !nothing && plan.absent.empty()) return;
  for (const auto& [name, entry] : entries_) {
    if (plan.present.contains(name)) continue;
    const bool waits = entry.subscribed && entry.state == VerdictState::kRequested;
    const bool new_to_us = entry.subscribed && entry.state != VerdictState::kDoesNotExist;
    const bool not_there = nothing && waits && !asked_since_.contains(name);
    const bool missing = missing_is_gone && (entry.body != nullptr || new_to_us);
    if (not_there || missing || plan.absent.contains(name)) plan.update.removed.push_back(name);
  }
}

void SubscriptionMachine::Plan::refuse(std::string name, std::string field_path, std::string rule) {
  bad.insert(name);
  update.rejected.push_back({std::move(name), std::move(field_path), std::move(rule)});
}

}  // namespace sluice::xds
