#include "source/config/tls_compiler.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.pb.h"
#include "source/config/any_type.h"
#include "source/config/route_texts.h"
#include "source/tls/spiffe.h"

namespace sluice::config {
namespace {

namespace v3 = envoy::extensions::transport_sockets::tls::v3;
using envoy::config::core::v3::DataSource;
using envoy::type::matcher::v3::StringMatcher;

// Debian and most others; the rest of the list is what other distributions use.
constexpr const char* kSystemRoots[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

std::string nameOfSource(const DataSource& source, const std::string& name) {
  if (!source.filename().empty()) return source.filename();
  return name.empty() ? "<inline>" : name;
}

tls::Version versionOf(v3::TlsParameters::TlsProtocol protocol) {
  switch (protocol) {
    case v3::TlsParameters::TLSv1_0:
      return tls::Version::kTls10;
    case v3::TlsParameters::TLSv1_1:
      return tls::Version::kTls11;
    case v3::TlsParameters::TLSv1_2:
      return tls::Version::kTls12;
    case v3::TlsParameters::TLSv1_3:
      return tls::Version::kTls13;
    default:
      return tls::Version::kAuto;
  }
}

const char* wordOf(tls::SanMatcher::Type type) {
  switch (type) {
    case tls::SanMatcher::Type::kEmail:
      return "EMAIL";
    case tls::SanMatcher::Type::kDns:
      return "DNS";
    case tls::SanMatcher::Type::kUri:
      return "URI";
    case tls::SanMatcher::Type::kIp:
      return "IP_ADDRESS";
    case tls::SanMatcher::Type::kOther:
      return "OTHER_NAME";
  }
  return "";
}

tls::SanMatcher compileSan(tls::SanMatcher::Type type, const StringMatcher& proto, Regexes& regexes,
                           const Context& context) {
  tls::SanMatcher out;
  out.type = type;
  const match::StringMatcher matcher = regexes.stringMatcher(proto, context);
  if (matcher.kind == match::StringMatcher::Kind::kExact && !matcher.ignore_case) out.exact = matcher.text;
  out.matches = [matcher](std::string_view name) { return matcher.matches(name); };
  out.description = absl::StrCat(wordOf(type), " ", proto.ShortDebugString());
  return out;
}

tls::SanMatcher::Type typeOf(const v3::SubjectAltNameMatcher& proto) {
  switch (proto.san_type()) {
    case v3::SubjectAltNameMatcher::EMAIL:
      return tls::SanMatcher::Type::kEmail;
    case v3::SubjectAltNameMatcher::URI:
      return tls::SanMatcher::Type::kUri;
    case v3::SubjectAltNameMatcher::IP_ADDRESS:
      return tls::SanMatcher::Type::kIp;
    case v3::SubjectAltNameMatcher::OTHER_NAME:
      return tls::SanMatcher::Type::kOther;
    default:
      return tls::SanMatcher::Type::kDns;
  }
}

// "1.3.6.1": numbers without leading zeros, of which the first is 0, 1 or 2.
bool isObjectIdentifier(const std::string& text) {
  const std::vector<std::string> numbers = absl::StrSplit(text, '.');
  const bool well_formed = std::all_of(numbers.begin(), numbers.end(), [](const std::string& number) {
    return !number.empty() && number.size() < 40 && (number == "0" || number.front() != '0') &&
           std::all_of(number.begin(), number.end(), absl::ascii_isdigit);
  });
  return well_formed && numbers.size() > 1 && numbers.size() <= 20 && numbers.front().size() == 1 &&
         numbers.front() <= "2";
}

void compileSans(const v3::CertificateValidationContext& proto, const Context& context, tls::ValidationConfig& out) {
  using Type = tls::SanMatcher::Type;
  Regexes regexes;
  for (int i = 0; i < proto.match_typed_subject_alt_names_size(); ++i) {
    const v3::SubjectAltNameMatcher& matcher = proto.match_typed_subject_alt_names(i);
    const Context at = context.child("match_typed_subject_alt_names", static_cast<size_t>(i));
    out.san_matchers.push_back(compileSan(typeOf(matcher), matcher.matcher(), regexes, at.child("matcher")));
    out.san_matchers.back().oid = compileSanOid(matcher, at);
  }
  if (proto.match_typed_subject_alt_names_size() > 0) return;  // then the old field is not used
  for (int i = 0; i < proto.match_subject_alt_names_size(); ++i) {
    const Context at = context.child("match_subject_alt_names", static_cast<size_t>(i));
    for (const Type type : {Type::kDns, Type::kUri, Type::kEmail, Type::kIp}) {
      out.san_matchers.push_back(compileSan(type, proto.match_subject_alt_names(i), regexes, at));
    }
  }
}

}  // namespace

std::optional<std::string> readDataSource(const DataSource& source, FileContents& files, const Context& context) {
  if (source.has_watched_directory()) {
    context.child("watched_directory").error(kReadOnce);
    return std::nullopt;
  }
  switch (source.specifier_case()) {
    case DataSource::kInlineString:
      return source.inline_string();
    case DataSource::kInlineBytes:
      return source.inline_bytes();
    case DataSource::kFilename: {
      absl::StatusOr<std::string> content = files.read(source.filename());
      if (content.ok()) return *std::move(content);
      context.child("filename").error(std::string(content.status().message()));
      return std::nullopt;
    }
    case DataSource::kEnvironmentVariable:
      if (const char* value = std::getenv(source.environment_variable().c_str())) return value;
      context.child("environment_variable").error(absl::StrCat("\"", source.environment_variable(), "\" is not set"));
      return std::nullopt;
    case DataSource::SPECIFIER_NOT_SET:
      break;
  }
  context.error("needs filename, inline_string, inline_bytes or environment_variable");
  return std::nullopt;
}

std::string compileSanOid(const v3::SubjectAltNameMatcher& proto, const Context& context) {
  const bool other = proto.san_type() == v3::SubjectAltNameMatcher::OTHER_NAME;
  const Context at = context.child("oid");
  if (other && proto.oid().empty()) {
    at.error("is missing; names of OTHER_NAME are told apart by the object identifier of their type");
  } else if (!other && !proto.oid().empty()) {
    at.error("is of OTHER_NAME only; remove it");
  } else if (other && !isObjectIdentifier(proto.oid())) {
    at.error("is no object identifier; write it as numbers, 1.3.6.1.4.1.311.20.2.3");
  }
  return proto.oid();
}

std::vector<DataSource> trustBundlesOf(const v3::CertificateValidationContext& proto) {
  std::vector<DataSource> out;
  if (!proto.has_custom_validator_config()) return out;
  ErrorList reported;  // where it is compiled
  const auto spiffe =
      unpackOnly<v3::SPIFFECertValidatorConfig>(proto.custom_validator_config().typed_config(), Context(reported));
  if (spiffe == nullptr) return out;
  for (const auto& domain : spiffe->trust_domains()) out.push_back(domain.trust_bundle());
  return out;
}

std::optional<tls::CertificateConfig> compileTlsCertificate(const v3::TlsCertificate& proto, const std::string& name,
                                                            FileContents& files, const Context& context) {
  const ErrorMark mark(context);
  tls::CertificateConfig out;
  const auto read = [&](bool has, const DataSource& source, const char* field, std::string& place) {
    if (!has) return;
    if (std::optional<std::string> text = readDataSource(source, files, context.child(field))) place = *std::move(text);
  };
  if (!proto.has_certificate_chain()) context.child("certificate_chain").error("no certificate; give one as PEM");
  if (!proto.has_private_key()) context.child("private_key").error("no private key; give the certificate's as PEM");
  read(proto.has_certificate_chain(), proto.certificate_chain(), "certificate_chain", out.chain_pem);
  read(proto.has_private_key(), proto.private_key(), "private_key", out.key_pem);
  read(proto.has_password(), proto.password(), "password", out.password);
  read(proto.has_ocsp_staple(), proto.ocsp_staple(), "ocsp_staple", out.ocsp_staple);
  if (proto.has_password() && proto.password().has_filename()) {
    while (!out.password.empty() && (out.password.back() == '\n' || out.password.back() == '\r')) {
      out.password.pop_back();
    }
  }
  out.name = nameOfSource(proto.certificate_chain(), name);
  out.key_name = nameOfSource(proto.private_key(), name);
  if (mark.hit()) return std::nullopt;
  return out;
}

namespace {

// What the validator has no use for: its bundles stand for it.
void refuseBeside(const v3::CertificateValidationContext& proto, const Context& context) {
  const auto refuse = [&context](bool set, const char* field) {
    if (set)
      context.child(field).error("has no place beside custom_validator_config, whose bundles say who is believed");
  };
  refuse(proto.has_trusted_ca(), "trusted_ca");
  refuse(proto.has_system_root_certs(), "system_root_certs");
  refuse(proto.has_crl(), "crl");
  refuse(proto.only_verify_leaf_cert_crl(), "only_verify_leaf_cert_crl");
}

void compileSpiffe(const v3::CertificateValidationContext& proto, const std::string& name, FileContents& files,
                   const Context& context, tls::ValidationConfig& out) {
  refuseBeside(proto, context);
  const Context at = context.child("custom_validator_config").child("typed_config");
  const auto spiffe = unpackOnly<v3::SPIFFECertValidatorConfig>(proto.custom_validator_config().typed_config(), at);
  if (spiffe == nullptr) return;
  if (spiffe->trust_domains().empty()) at.child("trust_domains").error("is empty, so that nobody would be believed");
  std::set<std::string> names;
  for (int i = 0; i < spiffe->trust_domains_size(); ++i) {
    const auto& domain = spiffe->trust_domains(i);
    const Context here = at.child("trust_domains", static_cast<size_t>(i));
    if (!tls::isTrustDomain(domain.name())) {
      here.child("name").error(
          "is no name of a trust domain: lower case letters, digits, '.', '-' and '_', without spiffe://");
    } else if (!names.insert(domain.name()).second) {
      here.child("name").error("stands there twice; put all authorities of a trust domain into one bundle");
    }
    auto pem = readDataSource(domain.trust_bundle(), files, here.child("trust_bundle"));
    if (!pem) continue;
    if (pem->empty()) here.child("trust_bundle").error("is empty; give the authorities as PEM");
    out.trust_domains.push_back({domain.name(), *std::move(pem), nameOfSource(domain.trust_bundle(), name)});
  }
}

}  // namespace

std::optional<tls::ValidationConfig> compileValidation(const v3::CertificateValidationContext& proto,
                                                       const std::string& name, FileContents& files,
                                                       const Context& context) {
  const ErrorMark mark(context);
  tls::ValidationConfig out;
  const bool spiffe = proto.has_custom_validator_config();
  if (spiffe) {
    compileSpiffe(proto, name, files, context, out);
  } else if (proto.has_trusted_ca()) {
    if (proto.has_system_root_certs()) {
      context.child("system_root_certs").error("set trusted_ca or system_root_certs, not both");
    }
    if (auto text = readDataSource(proto.trusted_ca(), files, context.child("trusted_ca"))) {
      out.trusted_ca_pem = *std::move(text);
      if (out.trusted_ca_pem.empty()) context.child("trusted_ca").error("is empty; give the authorities as PEM");
    }
    out.trusted_ca_name = nameOfSource(proto.trusted_ca(), name);
  } else if (proto.has_system_root_certs()) {
    for (const char* path : kSystemRoots) {
      absl::StatusOr<std::string> content = files.read(path);
      if (!content.ok()) continue;
      out.trusted_ca_pem = *std::move(content);
      out.trusted_ca_name = path;
      break;
    }
    if (out.trusted_ca_pem.empty()) {
      context.child("system_root_certs")
          .error(
              "this system has no authorities where they are looked for; install "
              "ca-certificates or give trusted_ca");
    }
  }
  if (proto.has_crl()) {
    if (auto text = readDataSource(proto.crl(), files, context.child("crl"))) out.crl_pem = *std::move(text);
    if (!proto.has_trusted_ca() && !proto.has_system_root_certs() && !spiffe) {
      context.child("crl").error("a list of revoked certificates needs trusted_ca, the authority that made it");
    }
  }
  out.only_verify_leaf_cert_crl = proto.only_verify_leaf_cert_crl();
  out.certificate_hashes.assign(proto.verify_certificate_hash().begin(), proto.verify_certificate_hash().end());
  out.spki_hashes.assign(proto.verify_certificate_spki().begin(), proto.verify_certificate_spki().end());
  compileSans(proto, context, out);
  if (!out.san_matchers.empty() && out.trusted_ca_pem.empty() && !spiffe && !mark.hit()) {
    context.error(
        "names are matched, but without trusted_ca anybody can make a certificate with such a name; give the "
        "authority");
  }
  out.allow_expired_certificate = proto.allow_expired_certificate();
  if (out.allow_expired_certificate && !proto.has_trusted_ca() && !proto.has_system_root_certs() && !spiffe) {
    context.child("allow_expired_certificate").error("has no meaning without trusted_ca; remove it");
  }
  out.accept_untrusted = proto.trust_chain_verification() == v3::CertificateValidationContext::ACCEPT_UNTRUSTED;
  if (proto.has_max_verify_depth()) out.max_verify_depth = proto.max_verify_depth().value();
  out.suppress_client_ca_list = proto.suppress_client_ca_list();
  if (mark.hit()) return std::nullopt;
  return out;
}

std::optional<std::vector<std::string>> compileTicketKeys(const v3::TlsSessionTicketKeys& proto, FileContents& files,
                                                          const Context& context) {
  constexpr size_t kKeySize = 80;
  const ErrorMark mark(context);
  std::vector<std::string> keys;
  for (int i = 0; i < proto.keys_size(); ++i) {
    const Context at = context.child("keys", static_cast<size_t>(i));
    std::optional<std::string> key = readDataSource(proto.keys(i), files, at);
    if (!key) continue;
    if (key->size() != kKeySize) {
      at.error(absl::StrCat("a key has 80 bytes, this one has ", key->size(), "; make one with: openssl rand 80"));
    }
    keys.push_back(*std::move(key));
  }
  if (mark.hit()) return std::nullopt;
  return keys;
}

void compileTlsParameters(const v3::CommonTlsContext& proto, const Context& context, tls::CommonConfig& out) {
  const v3::TlsParameters& params = proto.tls_params();
  const Context at = context.child("tls_params");
  out.min_version = versionOf(params.tls_minimum_protocol_version());
  out.max_version = versionOf(params.tls_maximum_protocol_version());
  for (int i = 0; i < params.cipher_suites_size(); ++i) {
    const std::string& suite = params.cipher_suites(i);
    if (absl::StartsWith(suite, "TLS_AES_") || absl::StartsWith(suite, "TLS_CHACHA20_")) {
      at.child("cipher_suites", static_cast<size_t>(i))
          .error(
              absl::StrCat(suite, " is of TLS 1.3, whose cipher suites cannot be chosen; list those of TLS 1.2 only"));
    }
    out.cipher_suites.push_back(suite);
  }
  out.curves.assign(params.ecdh_curves().begin(), params.ecdh_curves().end());
  out.signature_algorithms.assign(params.signature_algorithms().begin(), params.signature_algorithms().end());
  for (int i = 0; i < proto.alpn_protocols_size(); ++i) {
    // "h2,http/1.1" is two: Envoy joins the entries by commas, and files rely on it.
    for (const absl::string_view protocol : absl::StrSplit(proto.alpn_protocols(i), ',')) {
      if (protocol.empty() || protocol.size() > 255)
        context.child("alpn_protocols", static_cast<size_t>(i)).error("a protocol's name has 1 to 255 bytes");
      out.alpn.emplace_back(protocol);
    }
  }
  out.key_log.path = proto.key_log().path();
}

}  // namespace sluice::config
