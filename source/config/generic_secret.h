// A secret that is a text (a token, a password), for what filters send. Thread: main; the text is read by workers.
// (proto: transport_sockets.tls.v3.GenericSecret)
#pragma once

#include <memory>
#include <string>

#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "source/config/services.h"
#include "source/worker/exchanged.h"

namespace sluice::config {

// As it stands now, without line feeds at its end; null: it has not come. A version that cannot be read changes
// nothing.
using SecretText = worker::Exchanged<std::string>;

// Null after an error. What is compiled waits for the first version. `context` stands at the config.
std::shared_ptr<const SecretText> compileGenericSecret(
    const envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig& config, const FactoryContext& context);

}  // namespace sluice::config
