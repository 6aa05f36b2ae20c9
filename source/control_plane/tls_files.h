// TLS of the discovery port: a certificate with its key and the authority of the proxies' certificates, from files that
// are read again when they change. Files that do not fit together leave the last good ones in place. Thread: the
// loop's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "source/event/directory_watch.h"
#include "source/observability/log.h"
#include "source/tls/factory.h"

namespace sluice::control_plane {

class TlsFiles {
 public:
  struct Paths {
    std::string certificate;  // PEM, leaf first
    std::string key;
    std::string client_ca;  // empty: proxies need no certificate
  };

  // Loop and logger outlive it. Errors: what is wrong with the files.
  static absl::StatusOr<std::unique_ptr<TlsFiles>> start(Paths paths, event::Loop& loop, observability::Logger& logger);

  const net::TransportFactory& factory() const { return factory_; }

 private:
  TlsFiles(Paths paths, observability::Logger& logger) : paths_(std::move(paths)), logger_(logger) {}

  absl::Status load();
  void reload();

  const Paths paths_;
  observability::Logger& logger_;
  std::string loaded_;  // the content of all files
  std::shared_ptr<tls::TicketKeyRing> ticket_keys_ = std::make_shared<tls::TicketKeyRing>();
  tls::ServerTransportFactory factory_;
  std::vector<std::unique_ptr<event::DirectoryWatch>> watches_;
};

}  // namespace sluice::control_plane
