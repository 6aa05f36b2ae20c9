#include "source/config/generic_secret.h"

#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/config/secrets.h"
#include "source/config/tls_compiler.h"

namespace sluice::config {
namespace {

// Files that people write end with a line feed, which no token has.
std::string withoutLineEnds(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

// Gives a slot's versions to the text, for as long as somebody reads it.
class User final : public SecretUser {
 public:
  User(SecretSlotPtr slot, const std::shared_ptr<SecretText>& text, std::string owner)
      : slot_(std::move(slot)), text_(text), owner_(std::move(owner)) {}

  void wait(const FactoryContext& context) { wait_ = context.waitFor(absl::StrCat("secret '", slot_->name(), "'")); }
  bool alive() const override { return !text_.expired(); }
  absl::Status secretChanged() override {
    const std::shared_ptr<SecretText> text = text_.lock();
    const std::shared_ptr<const SecretVersion> version = slot_->current();
    if (text == nullptr || version == nullptr) return absl::OkStatus();
    ErrorList errors;
    std::optional<std::string> read =
        readDataSource(version->secret.generic_secret().secret(), *version->files, Context(errors));
    if (!read) {
      secretGivenUp();
      return errors.status();
    }
    text->set(std::make_shared<const std::string>(withoutLineEnds(*std::move(read))));
    wait_.ready();
    return absl::OkStatus();
  }
  void secretGivenUp() override {
    if (slot_->settled()) wait_.absent(slot_->grace());
  }
  const std::string& owner() const override { return owner_; }
  const tls::ContextFacts* facts() const override { return nullptr; }

 private:
  const SecretSlotPtr slot_;
  const std::weak_ptr<SecretText> text_;
  const std::string owner_;
  InitTarget wait_;
};

}  // namespace

std::shared_ptr<const SecretText> compileGenericSecret(
    const envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig& config, const FactoryContext& context) {
  Services& services = context.services;
  const SecretSlotPtr slot = services.secrets == nullptr
                                 ? emptySlot(config.name())
                                 : services.secrets->named(config, SecretKind::kGeneric, context.at);
  if (slot == nullptr) return nullptr;
  std::function<void()> ended = services.secrets == nullptr ? std::function<void()>() : services.secrets->userEnded();
  const std::shared_ptr<SecretText> text(new SecretText(services.local_slots), [ended](SecretText* gone) {
    delete gone;
    if (ended) ended();
  });
  const auto user = std::make_shared<User>(slot, text, context.owner);
  if (const absl::Status read = user->secretChanged(); !read.ok()) {
    context.at.error(std::string(read.message()));
    return nullptr;
  }
  if (slot->current() == nullptr) user->wait(context);
  if (services.secrets != nullptr) services.secrets->add(user, {slot});
  return text;
}

}  // namespace sluice::config
