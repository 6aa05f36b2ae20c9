#include "source/extensions/filters/http/oauth2_server/factory_clients.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "sluice/credentials/v1/oauth2_clients.pb.h"
#include "source/base/percent.h"
#include "source/base/text.h"
#include "source/config/file_watch.h"
#include "source/config/loader.h"
#include "source/config/validate.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

namespace credentials = sluice::credentials::v1;
using Proto = sluice::extensions::filters::http::oauth2_server::v1::OAuth2Server;

// nullopt: it is not written so. (No rule of the message: its error would tell what may be a secret.)
std::optional<Digest> readDigest(std::string_view text) {
  Digest out;
  if (text.size() != 2 * out.size()) return std::nullopt;
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = base::hexValue(text[2 * i]), low = base::hexValue(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return out;
}

void compileSecrets(const credentials::OAuth2Client& proto, const config::Context& at, Client& out) {
  for (int i = 0; i < proto.secrets_size(); ++i) {
    const credentials::ClientSecret& key = proto.secrets(i);
    const auto digest = readDigest(key.sha256());
    if (!digest) {
      at.child("secrets", static_cast<size_t>(i))
          .child("sha256")
          .error("is no SHA-256 of a secret; write it in 64 hexadecimal digits, never the secret itself");
      continue;
    }
    // Who shows none would be the client.
    if (*digest == filter::digestOf("")) {
      at.child("secrets", static_cast<size_t>(i))
          .child("sha256")
          .error("is the SHA-256 of nothing; was the variable with the secret empty?");
    }
    ClientSecret secret{*digest, std::nullopt};
    if (key.has_expires()) secret.expires = WallTime(std::chrono::seconds(key.expires().seconds()));
    out.secrets.push_back(secret);
  }
}

void compileCertificate(const credentials::ClientCertificate& proto, const config::Context& at, Client& out) {
  using Kind = CertificateName::Kind;
  switch (proto.by_case()) {
    case credentials::ClientCertificate::kSubject:
      out.certificate = {Kind::kSubject, proto.subject()};
      break;
    case credentials::ClientCertificate::kDnsSan:
      out.certificate = {Kind::kDns, proto.dns_san()};
      break;
    case credentials::ClientCertificate::kUriSan:
      out.certificate = {Kind::kUri, proto.uri_san()};
      break;
    case credentials::ClientCertificate::kIpSan:
      out.certificate = {Kind::kIp, proto.ip_san()};
      break;
    case credentials::ClientCertificate::kEmailSan:
      out.certificate = {Kind::kEmail, proto.email_san()};
      break;
    case credentials::ClientCertificate::kSha256:
      out.certificate = {Kind::kSha256, absl::AsciiStrToLower(proto.sha256())};
      if (!readDigest(proto.sha256())) at.child("sha256").error("is not written in hexadecimal digits");
      break;
    case credentials::ClientCertificate::BY_NOT_SET:
      break;  // refused by its rule
  }
}

// What fits together of a client.
void checkClient(const credentials::OAuth2Client& proto, const Client& client, const config::Context& at) {
  if (!client.secrets.empty() && client.certificate) {
    at.error("has secrets and a certificate; a client shows itself in one way: remove one of the two");
  }
  if (client.isPublic() && client.acts_itself) {
    at.child("grant_types").error("has client_credentials, but the client has none: give it secrets or a certificate");
  }
  if (client.isPublic() && !client.introspects.empty()) {
    at.child("introspects").error("is for clients with secrets or a certificate; give it one of these");
  }
  if (client.uses_codes != !client.redirect_uris.empty()) {
    at.child("redirect_uris")
        .error(client.uses_codes
                   ? "is empty, but grant_types has authorization_code; name where users return to"
                   : "is for authorization_code, which is not among grant_types; add it, or remove these");
  }
  if (client.refreshes && !client.uses_codes) {
    at.child("grant_types").error("has refresh_token without authorization_code, from which these come; add that");
  }
  for (int i = 0; i < proto.scopes_size(); ++i) {
    const std::string& scope = proto.scopes(i);
    if (std::any_of(scope.begin(), scope.end(), [](char c) { return c < 0x21 || c > 0x7e || c == '"' || c == '\\'; })) {
      at.child("scopes", static_cast<size_t>(i)).error("holds what no scope does: a space, a quote or a backslash");
    }
  }
  for (int i = 0; i < proto.redirect_uris_size(); ++i) {
    const std::string_view problem = redirectProblem(proto.redirect_uris(i), client.isPublic());
    if (!problem.empty()) at.child("redirect_uris", static_cast<size_t>(i)).error(std::string(problem));
  }
}

void compileClient(const credentials::OAuth2Client& proto, const config::Context& at, Clients& out) {
  Client client;
  client.id = proto.id();
  if (std::any_of(client.id.begin(), client.id.end(), [](char c) { return c < 0x20 || c > 0x7e; })) {
    at.child("id").error("holds other than printable ASCII, which no client_id may");
  }
  compileSecrets(proto, at, client);
  if (proto.has_certificate()) compileCertificate(proto.certificate(), at.child("certificate"), client);
  client.redirect_uris.assign(proto.redirect_uris().begin(), proto.redirect_uris().end());
  for (const std::string& type : proto.grant_types()) {
    client.uses_codes |= type == "authorization_code";
    client.refreshes |= type == "refresh_token";
    client.acts_itself |= type == "client_credentials";
  }
  client.most = {
      client.id, {}, absl::StrJoin(proto.scopes(), " "), {proto.audiences().begin(), proto.audiences().end()}};
  client.introspects.assign(proto.introspects().begin(), proto.introspects().end());
  if (proto.has_access_token_lifetime()) {
    client.access_lifetime = std::chrono::seconds(proto.access_token_lifetime().seconds());
  }
  if (proto.has_refresh_token_lifetime()) {
    client.refresh_lifetime = std::chrono::seconds(proto.refresh_token_lifetime().seconds());
  }
  client.bound = proto.certificate_bound_tokens() || client.certificate.has_value();
  // What is not written as it should be is one fault, not two.
  if (client.secrets.size() == static_cast<size_t>(proto.secrets_size())) checkClient(proto, client, at);
  if (!out.add(std::move(client))) at.child("id").error("is that of another client, too; give each its own");
}

template <typename List>
void compileList(const List& list, const config::Context& at, Clients& out) {
  for (int i = 0; i < list.size(); ++i) compileClient(list[i], at.child("clients", static_cast<size_t>(i)), out);
}

// Null after reporting to the list of `at`, which stands at the filter's message; with places in the file.
std::shared_ptr<const Clients> readClients(const Proto& proto, const config::Context& at, const OnClients& on_clients) {
  const config::ErrorMark mark(at);
  const auto out = std::make_shared<Clients>();
  compileList(proto.clients(), at, *out);
  if (const std::string& path = proto.client_file().filename(); !path.empty()) {
    config::Positions positions;
    credentials::OAuth2Clients file;
    const config::Context in_file(at.errors(), &positions);
    if (config::Loader(at.errors(), positions).loadFile(path, file) && config::validate(file, in_file)) {
      compileList(file.clients(), in_file, *out);
    }
  }
  if (!mark.hit() && out->empty()) at.error("has no clients; name one in `clients` or in the file of `client_file`");
  if (!mark.hit()) on_clients(*out, at);
  return mark.hit() ? nullptr : out;
}

// What has gone wrong leaves the clients as they are.
void readAgain(const Proto& proto, const config::FactoryContext& context, ClientSource& source,
               const OnClients& on_clients) {
  config::ErrorList errors;
  auto clients = readClients(proto, config::Context(errors), on_clients);
  if (worker::MainServices* const main = context.services.main) {
    const char* const name = clients == nullptr ? "reload_failure" : "reload_success";
    main->cells.add(context.stats->counter(absl::StrCat(context.owner, "oauth2_server.", name)), 1);
  }
  if (clients != nullptr) {
    source.clients.set(std::move(clients));
  } else if (context.services.logger != nullptr) {
    context.services.logger->warning("http",
                                     "oauth2_server: the clients that were read before hold: ", errors.toString());
  }
}

}  // namespace

std::chrono::seconds longestToken(const Clients& clients) {
  std::chrono::seconds out{1};
  for (const Client& client : clients.all()) out = std::max(out, client.access_lifetime);
  return out;
}

std::shared_ptr<const ClientSource> compileClients(const Proto& proto, const config::FactoryContext& context,
                                                   OnClients on_clients) {
  const config::FactoryContext at_file = context.child("client_file");
  if (proto.has_client_file() && proto.client_file().filename().empty()) {
    at_file.at.error("is no file; name one by filename");
    return nullptr;
  }
  auto out = std::make_shared<ClientSource>(context.services.local_slots);
  // Before the file is read, so that no change comes between.
  if (proto.client_file().has_watched_directory()) {
    config::FactoryContext later = context;
    later.init = nullptr;
    const auto on_change = [weak = std::weak_ptr(out), proto, later, on_clients] {
      if (const auto source = weak.lock()) readAgain(proto, later, *source, on_clients);
    };
    out->watch = config::watchDirectory(proto.client_file().watched_directory().path(), context.services, on_change,
                                        at_file.at.child("watched_directory"));
  }
  auto clients = readClients(proto, context.at, on_clients);
  if (clients == nullptr) return nullptr;
  out->clients.set(std::move(clients));
  return out;
}

}  // namespace sluice::extensions::http_filters::oauth2_server
