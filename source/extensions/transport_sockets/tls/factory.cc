#include "source/extensions/transport_sockets/tls/factory.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "source/config/secrets.h"
#include "source/config/tls_compiler.h"
#include "source/config/transport_socket_factory.h"
#include "source/config/values.h"
#include "source/tls/factory.h"

namespace sluice::extensions::transport_sockets::tls {
namespace {

namespace v3 = envoy::extensions::transport_sockets::tls::v3;
namespace core = sluice::tls;
using config::Context;
using config::SecretKind;
using config::SecretSlotPtr;

// Server and client in one shape.
struct Downstream {
  using Proto = v3::DownstreamTlsContext;
  using Config = core::ServerConfig;
  using Made = core::ServerContext;
  using Factory = core::ServerTransportFactory;
};
struct Upstream {
  using Proto = v3::UpstreamTlsContext;
  using Config = core::ClientConfig;
  using Made = core::ClientContext;
  using Factory = core::ClientTransportFactory;
};

void compileOwn(const v3::DownstreamTlsContext& proto, const Context& context, core::ServerConfig& out) {
  out.require_client_certificate = proto.require_client_certificate().value();
  out.require_sni = proto.require_sni().value();
  out.disable_stateless_session_resumption = proto.disable_stateless_session_resumption();
  out.disable_stateful_session_resumption = proto.disable_stateful_session_resumption();
  if (proto.has_session_timeout()) {
    out.session_timeout =
        std::chrono::duration_cast<std::chrono::seconds>(config::compileDuration(proto.session_timeout()));
  }
  switch (proto.ocsp_staple_policy()) {
    case v3::DownstreamTlsContext::STRICT_STAPLING:
      out.ocsp_policy = core::ServerConfig::OcspPolicy::kStrictStapling;
      break;
    case v3::DownstreamTlsContext::MUST_STAPLE:
      out.ocsp_policy = core::ServerConfig::OcspPolicy::kMustStaple;
      break;
    default:
      out.ocsp_policy = core::ServerConfig::OcspPolicy::kLenientStapling;
  }
  out.full_scan_certs_on_sni_mismatch = proto.full_scan_certs_on_sni_mismatch().value();
  out.prefer_client_ciphers = proto.prefer_client_ciphers();
  const v3::CommonTlsContext& common = proto.common_tls_context();
  if (common.tls_certificates_size() == 0 && common.tls_certificate_sds_secret_configs_size() == 0) {
    context.child("common_tls_context")
        .error("a server needs a certificate: tls_certificates or tls_certificate_sds_secret_configs");
  }
  if (out.require_client_certificate && common.validation_context_type_case() == 0) {
    context.child("require_client_certificate")
        .error("without a validation_context anybody's certificate would do; say whose is believed");
  }
}

void compileOwn(const v3::UpstreamTlsContext& proto, const Context& context, core::ClientConfig& out) {
  out.sni = proto.sni();
  if (proto.has_max_session_keys()) out.max_session_keys = proto.max_session_keys().value();
  if (proto.allow_renegotiation()) {
    context.child("allow_renegotiation").error("is an attack surface that HTTP does not need; remove it");
  }
  if (proto.has_enforce_rsa_key_usage() && !proto.enforce_rsa_key_usage().value()) {
    context.child("enforce_rsa_key_usage")
        .warn("is without effect: a server's certificate has to be for what it is used for; remove the field");
  }
  const v3::CommonTlsContext& common = proto.common_tls_context();
  if (common.tls_certificates_size() + common.tls_certificate_sds_secret_configs_size() > 1) {
    context.child("common_tls_context").error("a client shows one certificate at most");
  }
  if (common.validation_context_type_case() == 0) {
    context.child("common_tls_context")
        .warn(
            "without validation_context any server is believed, an attacker's too; set trusted_ca and "
            "match_typed_subject_alt_names");
  }
}

const v3::TlsSessionTicketKeys* ticketKeysOf(const v3::DownstreamTlsContext& proto) {
  return proto.has_session_ticket_keys() ? &proto.session_ticket_keys() : nullptr;
}
const v3::TlsSessionTicketKeys* ticketKeysOf(const v3::UpstreamTlsContext&) {
  return nullptr;
}
const v3::SdsSecretConfig* ticketSecretOf(const v3::DownstreamTlsContext& proto) {
  return proto.has_session_ticket_keys_sds_secret_config() ? &proto.session_ticket_keys_sds_secret_config() : nullptr;
}
const v3::SdsSecretConfig* ticketSecretOf(const v3::UpstreamTlsContext&) {
  return nullptr;
}
void setTicketKeys(std::vector<std::string> keys, core::ServerConfig& out) {
  out.session_ticket_keys = std::move(keys);
}
void setTicketKeys(std::vector<std::string>, core::ClientConfig&) {}
void setTicketRing(const config::Secrets& secrets, core::ServerConfig& out) {
  out.ticket_key_ring = secrets.ticketKeys();
}
void setTicketRing(const config::Secrets&, core::ClientConfig&) {}

// A transport socket with its slots: makes a context of their current versions, again whenever one changes.
template <typename Side>
class User : public config::SecretUser {
 public:
  using Proto = typename Side::Proto;
  using Factory = typename Side::Factory;

  User(const Proto& proto, std::string owner, observability::Scope scope)
      : proto_(proto), owner_(std::move(owner)), stats_(scope) {
    stats_.hold = observability::Scope::share(std::move(scope));
  }

  // Finds the slots and checks all that can be checked now. Null after an error.
  static std::shared_ptr<const net::TransportFactory> start(const Proto& proto, std::string_view group,
                                                            const config::FactoryContext& factory_context) {
    config::Services& services = factory_context.services;
    const Context& context = factory_context.at;
    const config::ErrorMark mark(context);
    auto user = std::make_shared<User>(proto, absl::StrCat(std::string(group), " ", factory_context.owner),
                                       services.stats.scope(group, factory_context.owner));
    compileOwn(proto, context, user->base_);
    config::compileTlsParameters(proto.common_tls_context(), context.child("common_tls_context"), user->base_.common);
    if (services.secrets != nullptr) setTicketRing(*services.secrets, user->base_);
    user->findSlots(context, services);
    if (mark.hit()) return nullptr;
    std::function<void()> ended = services.secrets == nullptr ? std::function<void()>() : services.secrets->userEnded();
    std::shared_ptr<Factory> factory(new Factory(user->missing()), [ended = std::move(ended)](Factory* gone) {
      delete gone;
      if (ended) ended();
    });
    user->factory_ = factory;
    if (const absl::Status made = user->secretChanged(); !made.ok()) {
      context.error(std::string(made.message()));
      return nullptr;
    }
    if (std::string awaited = user->awaited(); !awaited.empty()) {
      user->wait_ = factory_context.waitFor(std::move(awaited));
    }
    if (services.secrets != nullptr) services.secrets->add(user, user->allSlots());
    return factory;
  }

  bool alive() const override { return !factory_.expired(); }
  const std::string& owner() const override { return owner_; }
  const core::ContextFacts* facts() const override { return current_ ? &current_->facts() : nullptr; }

  absl::Status secretChanged() override {
    const std::shared_ptr<Factory> factory = factory_.lock();
    if (!factory) return absl::OkStatus();
    if (std::string missing = this->missing(); !missing.empty()) {
      factory->setMissing(std::move(missing));
      secretGivenUp();  // if the others have been given up before this one came
      return absl::OkStatus();
    }
    config::ErrorList errors;
    typename Side::Config config = base_;
    if (!fill(Context(errors), config)) return unusable(errors.status());
    auto made = Side::Made::create(config, stats_);
    if (!made.ok()) return unusable(made.status());
    current_ = *made;
    factory->set(*std::move(made));
    wait_.ready();
    return absl::OkStatus();
  }
  void secretGivenUp() override {
    auto grace = std::chrono::milliseconds::max();  // without one of them the others are of no use
    for (const SecretSlotPtr& slot : allSlots()) {
      if (!slot->settled()) return;
      if (slot->current() == nullptr) grace = std::min(grace, slot->grace());
    }
    wait_.absent(grace);
  }

 private:
  // Good ones may come, but need not.
  absl::Status unusable(absl::Status why) {
    secretGivenUp();
    return why;
  }

  // Empty: nothing is missing.
  std::string missing() const {
    for (const SecretSlotPtr& slot : allSlots()) {
      if (slot->current() == nullptr) return absl::StrCat("secret '", slot->name(), "' has not been delivered");
    }
    return {};
  }

  // The secrets that have not come.
  std::string awaited() const {
    std::string text;
    for (const SecretSlotPtr& slot : allSlots()) {
      if (slot->current() == nullptr) absl::StrAppend(&text, text.empty() ? "" : ", ", "secret '", slot->name(), "'");
    }
    return text;
  }

  std::vector<SecretSlotPtr> allSlots() const {
    std::vector<SecretSlotPtr> all = certificates_;
    if (validation_) all.push_back(validation_);
    if (ticket_keys_) all.push_back(ticket_keys_);
    return all;
  }

  SecretSlotPtr named(const v3::SdsSecretConfig& config, SecretKind kind, const Context& at,
                      config::Services& services) {
    return services.secrets == nullptr ? config::emptySlot(config.name()) : services.secrets->named(config, kind, at);
  }

  // What stands in place is checked here, where its field path is known.
  SecretSlotPtr inPlace(v3::Secret secret, SecretKind kind, bool watched, const Context& at,
                        config::Services& services) {
    if (services.secrets == nullptr && config::readsFiles(secret)) return config::emptySlot("");  // another machine's
    config::SecretVersion version{secret, std::make_shared<config::FileContents>()};
    if (!config::checkContent(version, kind, at)) return nullptr;
    if (watched && services.secrets != nullptr) return services.secrets->watched(std::move(secret), at);
    return config::fixedSlot(std::move(version));
  }

  void findSlots(const Context& context, config::Services& services) {
    const v3::CommonTlsContext& common = proto_.common_tls_context();
    const Context at = context.child("common_tls_context");
    const auto addCertificate = [this](SecretSlotPtr slot) {
      if (slot) certificates_.push_back(std::move(slot));
    };
    for (int i = 0; i < common.tls_certificates_size(); ++i) {
      v3::Secret secret;
      *secret.mutable_tls_certificate() = common.tls_certificates(i);
      addCertificate(inPlace(std::move(secret), SecretKind::kCertificate,
                             common.tls_certificates(i).has_watched_directory(),
                             at.child("tls_certificates", static_cast<size_t>(i)), services));
    }
    for (int i = 0; i < common.tls_certificate_sds_secret_configs_size(); ++i) {
      addCertificate(named(common.tls_certificate_sds_secret_configs(i), SecretKind::kCertificate,
                           at.child("tls_certificate_sds_secret_configs", static_cast<size_t>(i)), services));
    }
    if (common.has_validation_context()) {
      v3::Secret secret;
      *secret.mutable_validation_context() = common.validation_context();
      validation_ =
          inPlace(std::move(secret), SecretKind::kValidation, common.validation_context().has_watched_directory(),
                  at.child("validation_context"), services);
    } else if (common.has_validation_context_sds_secret_config()) {
      validation_ = named(common.validation_context_sds_secret_config(), SecretKind::kValidation,
                          at.child("validation_context_sds_secret_config"), services);
    } else if (common.has_combined_validation_context()) {
      validation_ =
          named(common.combined_validation_context().validation_context_sds_secret_config(), SecretKind::kValidation,
                at.child("combined_validation_context").child("validation_context_sds_secret_config"), services);
    }
    if (const v3::TlsSessionTicketKeys* keys = ticketKeysOf(proto_)) {
      v3::Secret secret;
      *secret.mutable_session_ticket_keys() = *keys;
      ticket_keys_ =
          inPlace(std::move(secret), SecretKind::kTicketKeys, false, context.child("session_ticket_keys"), services);
    } else if (const v3::SdsSecretConfig* config = ticketSecretOf(proto_)) {
      ticket_keys_ =
          named(*config, SecretKind::kTicketKeys, context.child("session_ticket_keys_sds_secret_config"), services);
    }
  }

  // All slots have a version.
  bool fill(const Context& context, typename Side::Config& out) const {
    for (const SecretSlotPtr& slot : certificates_) {
      const std::shared_ptr<const config::SecretVersion> version = slot->current();
      auto certificate =
          config::compileTlsCertificate(version->secret.tls_certificate(), slot->name(), *version->files, context);
      if (!certificate) return false;
      out.common.certificates.push_back(*std::move(certificate));
    }
    if (validation_) {
      const std::shared_ptr<const config::SecretVersion> version = validation_->current();
      v3::CertificateValidationContext merged;
      if (proto_.common_tls_context().has_combined_validation_context()) {
        merged = proto_.common_tls_context().combined_validation_context().default_validation_context();
      }
      merged.MergeFrom(version->secret.validation_context());
      out.common.validation = config::compileValidation(merged, validation_->name(), *version->files, context);
      if (!out.common.validation) return false;
    }
    if (ticket_keys_) {
      const std::shared_ptr<const config::SecretVersion> version = ticket_keys_->current();
      auto keys = config::compileTicketKeys(version->secret.session_ticket_keys(), *version->files, context);
      if (!keys) return false;
      setTicketKeys(*std::move(keys), out);
    }
    return true;
  }

  const Proto proto_;
  const std::string owner_;
  core::TlsStats stats_;
  typename Side::Config base_;
  std::vector<SecretSlotPtr> certificates_;
  SecretSlotPtr validation_, ticket_keys_;  // null: none is configured
  std::weak_ptr<Factory> factory_;          // workers hold it
  std::shared_ptr<const typename Side::Made> current_;
  config::InitTarget wait_;  // of what the socket is for, with the secrets
};

class DownstreamFactory : public config::TransportSocketConfigFactory {
 public:
  std::string_view configType() const override { return v3::DownstreamTlsContext::descriptor()->full_name(); }
  std::shared_ptr<const net::TransportFactory> compileDownstream(const google::protobuf::Message& message,
                                                                 config::FactoryContext context) const override {
    return User<Downstream>::start(static_cast<const v3::DownstreamTlsContext&>(message), "listener", context);
  }
  std::shared_ptr<const net::TransportFactory> compileUpstream(const google::protobuf::Message&,
                                                               config::FactoryContext context) const override {
    context.at.error(
        "is for filter chains; a cluster needs envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext");
    return nullptr;
  }
};

class UpstreamFactory : public config::TransportSocketConfigFactory {
 public:
  std::string_view configType() const override { return v3::UpstreamTlsContext::descriptor()->full_name(); }
  std::shared_ptr<const net::TransportFactory> compileDownstream(const google::protobuf::Message&,
                                                                 config::FactoryContext context) const override {
    context.at.error(
        "is for clusters; a filter chain needs envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext");
    return nullptr;
  }
  std::shared_ptr<const net::TransportFactory> compileUpstream(const google::protobuf::Message& message,
                                                               config::FactoryContext context) const override {
    return User<Upstream>::start(static_cast<const v3::UpstreamTlsContext&>(message), "cluster", context);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.transport_sockets.add(std::make_unique<DownstreamFactory>());
  registry.transport_sockets.add(std::make_unique<UpstreamFactory>());
}

}  // namespace sluice::extensions::transport_sockets::tls
