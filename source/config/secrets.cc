#include "source/config/secrets.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "source/config/tls_compiler.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::extensions::transport_sockets::tls::v3;

constexpr size_t kMaxFileBytes = size_t{16} << 20;

absl::StatusOr<std::string> readWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || (file.peek() != std::ifstream::traits_type::eof() && !(text << file.rdbuf()))) {
    return absl::NotFoundError(absl::StrCat("the file ", path, " cannot be read: ", std::strerror(errno)));
  }
  std::string content = text.str();
  if (content.size() > kMaxFileBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the file ", path, " is larger than 16 MiB"));
  }
  return content;
}

class ConstantSlot : public SecretSlot {
 public:
  ConstantSlot(std::string name, std::shared_ptr<const SecretVersion> version)
      : name_(std::move(name)), version_(std::move(version)) {}
  const std::string& name() const override { return name_; }
  std::shared_ptr<const SecretVersion> current() const override { return version_; }
  bool settled() const override { return version_ != nullptr; }

 private:
  std::string name_;
  std::shared_ptr<const SecretVersion> version_;
};

void checkCertificate(const v3::Secret& secret, FileContents& files, const Context& context) {
  auto certificate = compileTlsCertificate(secret.tls_certificate(), secret.name(), files, context);
  if (!certificate) return;
  tls::ServerConfig trial;
  trial.common.certificates.push_back(*std::move(certificate));
  const auto made = tls::ServerContext::create(trial);
  if (!made.ok()) context.error(std::string(made.status().message()));
}

void checkValidation(const v3::Secret& secret, FileContents& files, const Context& context) {
  auto validation = compileValidation(secret.validation_context(), secret.name(), files, context);
  if (!validation) return;
  tls::ClientConfig trial;
  trial.common.validation = *std::move(validation);
  const auto made = tls::ClientContext::create(trial);
  if (!made.ok()) context.error(std::string(made.status().message()));
}

}  // namespace

absl::StatusOr<std::string> FileContents::read(const std::string& path) {
  const auto known = known_.find(path);
  if (known != known_.end()) return known->second;
  return known_.emplace(path, readWhole(path)).first->second;
}

bool FileContents::sameAs(const FileContents& before) {
  for (const auto& [path, content] : before.known_) {
    if (!content.ok()) return false;
    const absl::StatusOr<std::string> now = read(path);
    if (!now.ok() || *now != *content) return false;
  }
  return true;
}

SecretSlotPtr fixedSlot(SecretVersion version) {
  std::string name = version.secret.name();
  return std::make_shared<ConstantSlot>(std::move(name), std::make_shared<const SecretVersion>(std::move(version)));
}

SecretSlotPtr emptySlot(const std::string& name) {
  return std::make_shared<ConstantSlot>(name, nullptr);
}

bool readsFiles(const v3::Secret& secret) {
  const v3::TlsCertificate& certificate = secret.tls_certificate();
  const v3::CertificateValidationContext& validation = secret.validation_context();
  for (const auto* source :
       {&certificate.certificate_chain(), &certificate.private_key(), &certificate.password(),
        &certificate.ocsp_staple(), &validation.trusted_ca(), &validation.crl(), &secret.generic_secret().secret()}) {
    if (source->has_filename() || source->has_environment_variable()) return true;
  }
  for (const auto& key : secret.session_ticket_keys().keys()) {
    if (key.has_filename() || key.has_environment_variable()) return true;
  }
  for (const auto& bundle : trustBundlesOf(validation)) {
    if (bundle.has_filename() || bundle.has_environment_variable()) return true;
  }
  return validation.has_system_root_certs();
}

std::string_view nameOf(SecretKind kind) {
  switch (kind) {
    case SecretKind::kCertificate:
      return "tls_certificate";
    case SecretKind::kValidation:
      return "validation_context";
    case SecretKind::kTicketKeys:
      return "session_ticket_keys";
    case SecretKind::kGeneric:
      return "generic_secret";
  }
  return "";
}

std::optional<SecretKind> kindOf(const v3::Secret& secret) {
  switch (secret.type_case()) {
    case v3::Secret::kTlsCertificate:
      return SecretKind::kCertificate;
    case v3::Secret::kValidationContext:
      return SecretKind::kValidation;
    case v3::Secret::kSessionTicketKeys:
      return SecretKind::kTicketKeys;
    case v3::Secret::kGenericSecret:
      return SecretKind::kGeneric;
    default:
      return std::nullopt;
  }
}

bool checkSecret(const SecretVersion& version, SecretKind kind, const Context& context) {
  const std::string field(nameOf(kind));
  if (kindOf(version.secret) == kind) return checkContent(version, kind, context.child(field));
  context.error(absl::StrCat("has no ", field, ", which its users need"));
  return false;
}

bool checkContent(const SecretVersion& version, SecretKind kind, const Context& context) {
  const ErrorMark mark(context);
  if (kind == SecretKind::kCertificate) {
    checkCertificate(version.secret, *version.files, context);
  } else if (kind == SecretKind::kValidation) {
    checkValidation(version.secret, *version.files, context);
  } else if (kind == SecretKind::kGeneric) {
    readDataSource(version.secret.generic_secret().secret(), *version.files, context.child("secret"));
  } else {
    compileTicketKeys(version.secret.session_ticket_keys(), *version.files, context);
  }
  return !mark.hit();
}

}  // namespace sluice::config
