#include "source/filter/credentials/consumers.h"

#include <utility>

#include "source/filter/identity.h"

namespace sluice::filter {

KnownConsumer::KnownConsumer(const Consumer& consumer, Credential credential)
    : consumer_(consumer), credential_(std::move(credential)) {}

const IdentityPtr& KnownConsumer::identity() const {
  std::call_once(made_, [this] {
    stream::MetadataFields claims;
    if (!credential_.prefix.empty()) claims.push_back({"key_prefix", {credential_.prefix}});
    identity_ = identityOf(credential_.subject.empty() ? consumer_.name : credential_.subject, std::move(claims));
  });
  return identity_;
}

IdentityPtr KnownConsumer::identityOf(std::string subject, stream::MetadataFields claims) const {
  if (!consumer_.plan.empty()) claims.push_back({"plan", {consumer_.plan}});
  return identityFields({.method = credential_.method,
                         .subject = std::move(subject),
                         .consumer = consumer_.name,
                         .groups = consumer_.groups,
                         .claims = std::move(claims)});
}

const Consumer* Consumers::add(Consumer consumer) {
  if (by_name_.contains(consumer.name)) return nullptr;
  const Consumer& added = consumers_.emplace_back(std::move(consumer));
  by_name_.emplace(added.name, &added);
  return &added;
}

bool Consumers::addCredential(const Consumer& consumer, CredentialKind kind, const KeyDigest& digest,
                              KnownConsumer::Credential credential) {
  const auto [place, is_new] = by_credential_[static_cast<size_t>(kind)].try_emplace(digest, nullptr);
  if (is_new) place->second = &known_.emplace_back(consumer, std::move(credential));
  return is_new;
}

bool Consumers::setAnonymous(std::string_view name) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return false;
  anonymous_.emplace(*found->second, KnownConsumer::Credential{.method = "anonymous"});
  return true;
}

const KnownConsumer* Consumers::find(CredentialKind kind, const KeyDigest& digest) const {
  const auto& table = by_credential_[static_cast<size_t>(kind)];
  const auto found = table.find(digest);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace sluice::filter
