#include "source/extensions/filters/http/key_auth/consumers.h"

#include <utility>

#include "source/filter/identity.h"

namespace sluice::extensions::http_filters::key_auth {

const std::shared_ptr<const stream::MetadataFields>& Known::identity() const {
  std::call_once(made_, [this] {
    stream::MetadataFields claims;
    if (!prefix_.empty()) claims.push_back({"key_prefix", {prefix_}});
    if (!consumer_.plan.empty()) claims.push_back({"plan", {consumer_.plan}});
    identity_ = filter::identityFields({.method = "key",
                                        .subject = consumer_.name,
                                        .consumer = consumer_.name,
                                        .groups = consumer_.groups,
                                        .claims = std::move(claims)});
  });
  return identity_;
}

const Consumer* Consumers::add(Consumer consumer) {
  if (by_name_.contains(consumer.name)) return nullptr;
  const Consumer& added = consumers_.emplace_back(std::move(consumer));
  by_name_.emplace(added.name, &added);
  return &added;
}

bool Consumers::addKey(const Consumer& consumer, const filter::KeyDigest& key, std::string prefix,
                       std::optional<WallTime> expires) {
  const auto [place, is_new] = by_key_.try_emplace(key, nullptr);
  if (is_new) place->second = &keys_.emplace_back(consumer, std::move(prefix), expires);
  return is_new;
}

bool Consumers::setAnonymous(std::string_view name) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return false;
  anonymous_.emplace(*found->second, "", std::nullopt);
  return true;
}

const Known* Consumers::find(std::string_view key) const {
  const auto found = by_key_.find(filter::digestOf(key));
  return found == by_key_.end() ? nullptr : found->second;
}

}  // namespace sluice::extensions::http_filters::key_auth
