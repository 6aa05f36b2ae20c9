#include "source/config/consumers.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "sluice/credentials/v1/consumers.pb.h"
#include "source/config/followed_file.h"
#include "source/config/key_digest.h"
#include "source/config/public_key.h"
#include "source/config/values.h"
#include "source/filter/metadata_struct.h"

namespace sluice::config {
namespace {

namespace v1 = sluice::credentials::v1;
using filter::Consumer;
using filter::Consumers;
using filter::CredentialKind;

constexpr size_t kMinSecret = 16;  // bytes

template <typename Proto>
std::optional<filter::WallTime> compileExpiry(const Proto& proto) {
  if (!proto.has_expires()) return std::nullopt;
  return filter::WallTime(std::chrono::seconds(proto.expires().seconds()));
}

// No rule of the message says what a digest is: its error would quote what may be a key.
void compileKey(const v1::Key& proto, const Context& at, const Consumer& consumer, Consumers& out) {
  const auto digest = readDigest(proto.sha256());
  if (!digest) {
    at.child("sha256").error("is no SHA-256 of a key; write it in 64 hexadecimal digits, never the key itself");
  } else if (!out.addCredential(consumer, CredentialKind::kKey, *digest,
                                {.method = "key", .prefix = proto.prefix(), .expires = compileExpiry(proto)})) {
    at.error("stands elsewhere, too, and so does not tell who shows it; remove one");
  }
}

const std::string& nameOf(const v1::Certificate::San& proto) {
  if (proto.has_dns()) return proto.dns();
  return proto.has_uri() ? proto.uri() : proto.email();
}

CredentialKind kindOf(const v1::Certificate& proto) {
  if (proto.has_subject()) return CredentialKind::kSubject;
  if (proto.san().has_dns()) return CredentialKind::kDnsName;
  return proto.san().has_uri() ? CredentialKind::kUriName : CredentialKind::kEmailName;
}

void compileCertificate(const v1::Certificate& proto, const Context& at, const Consumer& consumer, Consumers& out) {
  const auto add = [&](CredentialKind kind, const filter::KeyDigest& digest) {
    if (out.addCredential(consumer, kind, digest, {.method = "mtls"})) return;
    at.error("stands elsewhere, too, and so does not tell who shows it; remove one");
  };
  if (proto.has_sha256()) {
    const auto digest = readDigest(proto.sha256());
    if (digest) return add(CredentialKind::kCertificate, *digest);
    return at.child("sha256").error(
        "is no SHA-256 of a certificate; write 64 hexadecimal digits, as openssl x509 -fingerprint -sha256 has them");
  }
  const CredentialKind kind = kindOf(proto);
  const std::string& name = proto.has_subject() ? proto.subject() : nameOf(proto.san());
  add(kind, filter::digestOf(kind == CredentialKind::kDnsName ? absl::AsciiStrToLower(name) : name));
}

void compileHmacKey(const v1::HmacKey& proto, const Context& at, const Consumer& consumer, Consumers& out) {
  const Context place = at.child("secret");
  auto secret = compileDataSource(proto.secret(), place);
  if (!secret) return;
  if (secret->size() < kMinSecret) {
    place.error("has fewer than 16 bytes; make one by `head -c 32 /dev/urandom | base64`");
  } else if (!out.addCredential(consumer, CredentialKind::kSignature, filter::digestOf(proto.id()),
                                {.method = "hmac",
                                 .expires = compileExpiry(proto),
                                 .subject = proto.id(),
                                 .secret = *std::move(secret)})) {
    at.child("id").error("is that of another key, too, and so does not tell who signs; give each its own");
  }
}

void addPublicKey(const v1::PublicKey& proto, const Context& at, const Consumer& consumer, Consumers& out) {
  auto key = compilePublicKey(proto.jwk(), at.child("jwk"));
  if (key == nullptr) return;
  if (!out.addCredential(consumer, CredentialKind::kSignature, filter::digestOf(proto.id()),
                         {.method = "signature",
                          .expires = compileExpiry(proto),
                          .subject = proto.id(),
                          .public_key = std::move(key)})) {
    at.child("id").error("is that of another key, too, and so does not tell who signs; give each its own");
  }
}

void compileConsumer(const v1::Consumer& proto, const Context& at, Consumers& out) {
  if (std::any_of(proto.name().begin(), proto.name().end(), absl::ascii_iscntrl)) {
    at.child("name").error("holds a control character, which no header may; remove it");
  } else if (absl::StripAsciiWhitespace(proto.name()) != proto.name()) {
    at.child("name").error("begins or ends with a space, without which a header may be another's name; remove it");
  }
  const Consumer* const consumer =
      out.add({proto.name(), {proto.groups().begin(), proto.groups().end()}, filter::readStruct(proto.plan())});
  if (consumer == nullptr) return at.child("name").error("is that of another consumer, too; give each its own");
  for (int i = 0; i < proto.keys_size(); ++i) {
    compileKey(proto.keys(i), at.child("keys", static_cast<size_t>(i)), *consumer, out);
  }
  for (int i = 0; i < proto.certificates_size(); ++i) {
    compileCertificate(proto.certificates(i), at.child("certificates", static_cast<size_t>(i)), *consumer, out);
  }
  for (int i = 0; i < proto.hmac_keys_size(); ++i) {
    compileHmacKey(proto.hmac_keys(i), at.child("hmac_keys", static_cast<size_t>(i)), *consumer, out);
  }
  for (int i = 0; i < proto.public_keys_size(); ++i) {
    addPublicKey(proto.public_keys(i), at.child("public_keys", static_cast<size_t>(i)), *consumer, out);
  }
}

// Null after reporting to the list of `at`, with places in the file.
std::shared_ptr<const Consumers> readConsumers(const envoy::config::core::v3::DataSource& source,
                                               const std::string& anonymous, const Context& at) {
  const ErrorMark mark(at);
  Positions positions;
  v1::Consumers proto;
  if (!readMessageFile(source, proto, positions, at)) return nullptr;
  const Context in_file(at.errors(), &positions);
  if (proto.consumers().empty()) in_file.error("has no consumers; name one with its credentials");
  const auto out = std::make_shared<Consumers>();
  for (int i = 0; i < proto.consumers_size(); ++i) {
    compileConsumer(proto.consumers(i), in_file.child("consumers", static_cast<size_t>(i)), *out);
  }
  if (!anonymous.empty() && !out->setAnonymous(anonymous)) {
    in_file.child("consumers")
        .error(absl::StrCat("has no \"", anonymous, "\", whom requests without a credential are of"));
  }
  return mark.hit() ? nullptr : out;
}

}  // namespace

ConsumersPtr compileConsumers(const ConsumersConfig& config, const FactoryContext& context) {
  return readAndFollow<Consumers>(config.source,
                                  {.what = absl::StrCat(config.filter, ": the consumers"),
                                   .stats = absl::StrCat(context.owner, config.filter, ".")},
                                  context,
                                  [source = config.source, anonymous = config.anonymous](const FactoryContext& read) {
                                    return readConsumers(source, anonymous, read.at);
                                  });
}

filter::ConsumerGate makeConsumerGate(const char* filter, ConsumersPtr consumers, std::string forward_header,
                                      std::string_view expired_details, const FactoryContext& context) {
  const auto counter = [&](const char* name) {
    return context.stats->counter(absl::StrCat(context.owner, filter, ".", name));
  };
  return filter::ConsumerGate({.consumers = std::move(consumers),
                               .forward_header = std::move(forward_header),
                               .allowed = counter("allowed"),
                               .anonymous = counter("anonymous"),
                               .unauthorized = counter("unauthorized"),
                               .forbidden = counter("forbidden"),
                               .expired_details = expired_details});
}

}  // namespace sluice::config
