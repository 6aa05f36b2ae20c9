// The messages of envoy.extensions.transport_sockets.tls.v3 as the plain structs of source/tls.
//
// Thread: main. Run after validate(). Data sources are read through `files`. What is wrong goes to `context`, which
// stands at the message; whether PEM can be read and fits together is told by source/tls when a context is made.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "source/config/errors.h"
#include "source/config/secrets.h"
#include "source/tls/config.h"

namespace sluice::config {

std::optional<std::string> readDataSource(const envoy::config::core::v3::DataSource& source, FileContents& files,
                                          const Context& context);

// `oid`, the type of an OTHER_NAME. `context` stands at the matcher.
std::string compileSanOid(const envoy::extensions::transport_sockets::tls::v3::SubjectAltNameMatcher& proto,
                          const Context& context);
// Those of a SPIFFE validator, if there is one.
std::vector<envoy::config::core::v3::DataSource> trustBundlesOf(
    const envoy::extensions::transport_sockets::tls::v3::CertificateValidationContext& proto);

// `name` stands for what has no file name: of the secret; empty: "<inline>".
std::optional<tls::CertificateConfig> compileTlsCertificate(
    const envoy::extensions::transport_sockets::tls::v3::TlsCertificate& proto, const std::string& name,
    FileContents& files, const Context& context);
std::optional<tls::ValidationConfig> compileValidation(
    const envoy::extensions::transport_sockets::tls::v3::CertificateValidationContext& proto, const std::string& name,
    FileContents& files, const Context& context);
std::optional<std::vector<std::string>> compileTicketKeys(
    const envoy::extensions::transport_sockets::tls::v3::TlsSessionTicketKeys& proto, FileContents& files,
    const Context& context);

// All that stands in place in a CommonTlsContext: parameters, ALPN, key log.
void compileTlsParameters(const envoy::extensions::transport_sockets::tls::v3::CommonTlsContext& proto,
                          const Context& context, tls::CommonConfig& out);

}  // namespace sluice::config
