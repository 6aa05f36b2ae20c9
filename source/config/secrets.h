// Secrets: certificates with their keys, authorities, ticket keys, texts; by name or in place, fixed or changing.
//
// A SecretSlot is one of them as it stands now. Users of slots (compiled transport sockets) make what they need of the
// current versions and do so again when one changes; a version that is no good never gets into a slot. Thread: main;
// only the transports that users make leave it.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "source/config/errors.h"
#include "source/tls/context.h"
#include "source/tls/ticket_keys.h"

namespace sluice::config {

// Files as they were when they were first asked for: what is read through one of these belongs together.
class FileContents {
 public:
  // At most 16 MiB.
  absl::StatusOr<std::string> read(const std::string& path);
  // All that was read of `before` reads the same now.
  bool sameAs(const FileContents& before);

 private:
  std::map<std::string, absl::StatusOr<std::string>> known_;
};

enum class SecretKind : uint8_t { kCertificate, kValidation, kTicketKeys, kGeneric };

struct SecretVersion {
  envoy::extensions::transport_sockets::tls::v3::Secret secret;
  std::shared_ptr<FileContents> files;
};

// Whoever makes something of slots.
class SecretUser {
 public:
  virtual ~SecretUser() = default;
  // False once nobody can use any more what it makes; then it is let go of.
  virtual bool alive() const = 0;
  // A slot has a new version. An error leaves things as they were.
  virtual absl::Status secretChanged() = 0;
  // There will be none for now.
  virtual void secretGivenUp() = 0;
  // For messages: "listener 127.0.0.1:443", "cluster backend".
  virtual const std::string& owner() const = 0;
  // What is in use now; null: nothing yet.
  virtual const tls::ContextFacts* facts() const = 0;
};

class SecretSlot {
 public:
  virtual ~SecretSlot() = default;
  virtual const std::string& name() const = 0;
  // Null: none has come.
  virtual std::shared_ptr<const SecretVersion> current() const = 0;
  // There is a version, or the time to wait for the first one is over.
  virtual bool settled() const = 0;
  // How long it may be waited for all the same where something serves meanwhile (InitTarget::absent()).
  virtual std::chrono::milliseconds grace() const { return {}; }
};
using SecretSlotPtr = std::shared_ptr<const SecretSlot>;

class Secrets {
 public:
  using SdsSecretConfig = envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig;
  using Secret = envoy::extensions::transport_sockets::tls::v3::Secret;

  virtual ~Secrets() = default;
  // The slot of a name; null after reporting to `context`.
  virtual SecretSlotPtr named(const SdsSecretConfig& config, SecretKind kind, const Context& context) = 0;
  // A secret that stands in place and has a watched_directory.
  virtual SecretSlotPtr watched(Secret secret, const Context& context) = 0;
  // Keeps `user` until it is no longer alive, and tells it of its slots.
  virtual void add(std::shared_ptr<SecretUser> user, std::vector<SecretSlotPtr> slots) = 0;
  // To be called, on any thread, when a user stops being alive.
  virtual std::function<void()> userEnded() = 0;
  // Keys of session tickets that nobody configured. Null: configurations are only checked.
  virtual std::shared_ptr<tls::TicketKeyRing> ticketKeys() const { return nullptr; }
};

// A slot with a fixed content.
SecretSlotPtr fixedSlot(SecretVersion version);
// A slot that stays empty: for checking configurations whose secrets come from elsewhere.
SecretSlotPtr emptySlot(const std::string& name);

// Whether the secret is of that kind and its content can be used at all: files, PEM, key and certificate. Errors go to
// `context`, which stands at the secret.
bool checkSecret(const SecretVersion& version, SecretKind kind, const Context& context);
// The same for a secret that is of the kind; `context` stands at its content.
bool checkContent(const SecretVersion& version, SecretKind kind, const Context& context);
// Its content stands in files of the proxy's machine.
bool readsFiles(const envoy::extensions::transport_sockets::tls::v3::Secret& secret);
std::string_view nameOf(SecretKind kind);
// nullopt: none of the kinds.
std::optional<SecretKind> kindOf(const envoy::extensions::transport_sockets::tls::v3::Secret& secret);

}  // namespace sluice::config
